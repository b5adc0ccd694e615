//! HTTP heads in, answers out: RFC 9110 and RFC 9112 as tables.

mod any_input;
mod head;
mod request;
mod response;
mod target;

use wsring_proto::http::{HeadLimits, Refusal, Request, check_unfinished, head_end};

/// The one door: finds the end of the head in every split of `input`, parses it, and makes sure that an
/// owned copy says the same as the borrowed request.
fn check(input: &[u8]) -> Result<Request<'_>, Refusal> {
    let limits = HeadLimits::default();
    let end = check_splits(input).unwrap_or(input.len());
    let request = Request::parse(&input[..end], &limits)?;
    for arrived in 0..end {
        assert_eq!(check_unfinished(&input[..arrived], &limits), Ok(()), "refused early at {arrived}");
    }
    let owned = request.to_owned_request();
    assert_eq!(format!("{:?}", owned.request()), format!("{request:?}"));
    Ok(request)
}

/// [`head_end`] must give the same answer however the input is cut.
fn check_splits(input: &[u8]) -> Option<usize> {
    let whole = head_end(input, 0);
    for cut in 0..=input.len() {
        let early = head_end(&input[..cut], 0);
        assert_eq!(early.or_else(|| head_end(input, cut)), whole, "cut at {cut}");
    }
    let byte_by_byte = (1..=input.len()).find_map(|arrived| head_end(&input[..arrived], arrived - 1));
    assert_eq!(byte_by_byte, whole, "one byte at a time");
    whole
}

/// The refusal of an input that must be refused; its reason has to name `part`.
#[track_caller]
fn refused(input: &[u8], status: u16, part: &str) {
    match check(input) {
        Ok(request) => panic!("accepted {}: {request:?}", input.escape_ascii()),
        Err(refusal) => {
            assert_eq!(refusal.status(), status, "{refusal} for {}", input.escape_ascii());
            assert!(refusal.reason().contains(part), "{refusal} does not name {part:?}");
        }
    }
}
