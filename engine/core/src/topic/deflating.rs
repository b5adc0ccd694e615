//! What stands in the deflated variants of logs, and how often it is made.

use super::form::{Encoding, Form, Framing};
use super::log::Log;
use super::registry::Registry;
use super::shared::{Deflated, SharedDeflate};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wsring_proto::Kind;

const DEFLATED: Form = Form(0x80);

fn publish(registry: &Registry, log: &Arc<Log>, payload: &[u8]) -> u64 {
    log.publish(registry, Kind::Text, payload, |_, _| {}).0
}

/// The payload of a message as it stands in a log, and whether it is deflated there.
fn read(registry: &Registry, log: &Log, form: Form, offset: u64) -> (bool, Vec<u8>) {
    let (place, _) = log.locate(registry, form, offset);
    let place = place.expect("there is a segment");
    let frame = place.segment.message((offset - place.base) as u32);
    let header = if frame[1] < 126 { 2 } else { 4 };
    assert!(frame[1] < 127, "the tests' messages are shorter");
    match frame[0] {
        0x81 => (false, frame[header..].to_vec()),
        0xc1 => (true, inflate(&frame[header..])),
        first => panic!("a frame that begins with {first:#x}"),
    }
}

fn inflate(body: &[u8]) -> Vec<u8> {
    let mut inflater = flate2::write::DeflateDecoder::new(Vec::new());
    inflater.write_all(&[body, &[0x00, 0x00, 0xff, 0xff]].concat()).unwrap();
    inflater.flush().unwrap();
    inflater.get_ref().clone()
}

fn text(number: usize, length: usize) -> Vec<u8> {
    format!("{{\"number\":{number},\"text\":\"")
        .bytes()
        .chain(b"wsring ".iter().copied().cycle())
        .take(length)
        .collect()
}

fn figures(registry: &Registry) -> Deflated {
    registry.deflated_figures()
}

#[test]
fn it_is_made_only_while_somebody_reads_it() {
    let registry = Registry::default();
    let log = registry.topic("a").unwrap();
    let payload = text(1, 500);
    publish(&registry, &log, &payload);
    assert_eq!(figures(&registry), Deflated::default(), "nobody needs it");
    let next = log.listen(&registry, 0, DEFLATED, true);
    assert_eq!((next, figures(&registry).messages), (1, 1), "what is kept is there at once");
    publish(&registry, &log, &payload);
    log.unlisten(0, DEFLATED, true);
    publish(&registry, &log, &payload);
    assert_eq!(figures(&registry).messages, 2, "nobody reads it any more");
    log.listen(&registry, 0, DEFLATED, true);
    publish(&registry, &log, &payload);
    let deflated: Vec<bool> = (0..4)
        .map(|offset| {
            let (deflated, read) = read(&registry, &log, DEFLATED, offset);
            assert!(read == payload, "message {offset} is there");
            deflated
        })
        .collect();
    assert_eq!(deflated, [true, true, false, true]);
    assert_eq!(read(&registry, &log, Form::PUBLISHED, 3), (false, payload));
}

#[test]
fn what_would_not_be_shorter_stands_there_plain() {
    let registry = Registry::default();
    registry.set_shared_deflate(SharedDeflate { bytes_min: 100, ..SharedDeflate::default() });
    let log = registry.topic("a").unwrap();
    log.listen(&registry, 0, DEFLATED, true);
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let random: Vec<u8> = (0..1000).map(|_| noise()).collect();
    let table = [
        (Vec::new(), false),
        (text(1, 99), false),
        (text(1, 100), true),
        (text(1, 60_000), true),
        (random, false),
    ];
    for (payload, deflated) in table {
        let offset = publish(&registry, &log, &payload);
        let (length, read) = (payload.len(), read(&registry, &log, DEFLATED, offset));
        assert!(read == (deflated, payload), "{length} bytes");
    }
    assert_eq!(figures(&registry).messages, 3, "what is shorter than bytes_min is not tried");
}

/// The topic, and patterns that stand for it, take the same records.
#[test]
fn it_is_made_once_for_all_logs() {
    static ENCODED: AtomicUsize = AtomicUsize::new(0);
    let registry = Registry::default();
    let made = registry.add_form(Encoding::new(Framing::Text, |publication, out| {
        ENCODED.fetch_add(1, Ordering::Relaxed);
        out.extend_from_slice(format!("{} {} ", publication.topic, publication.offset).as_bytes());
        out.extend_from_slice(publication.payload);
    }));
    let topic = registry.topic("a/b").unwrap();
    let patterns =
        ["a/+", "+/b", "#"].map(|name| registry.subscribe_pattern(&registry.pattern(name).unwrap()));
    let forms = [DEFLATED, made, made.deflated()];
    for log in patterns.iter().chain([&topic]) {
        for (number, form) in forms.into_iter().enumerate() {
            log.listen(&registry, 0, form, number == 0);
        }
    }
    for number in 0..10 {
        let payload = text(number, 300);
        publish(&registry, &topic, &payload);
        let encoded = [format!("a/b {number} ").as_bytes(), &payload].concat();
        for log in patterns.iter().chain([&topic]) {
            let offset = number as u64;
            assert_eq!(read(&registry, log, DEFLATED, offset), (true, payload.clone()));
            assert_eq!(read(&registry, log, made, offset), (false, encoded.clone()));
            assert_eq!(read(&registry, log, made.deflated(), offset), (true, encoded.clone()));
        }
        assert_eq!(ENCODED.load(Ordering::Relaxed), number + 1, "encoded once");
        assert_eq!(figures(&registry).messages, 2 * (number as u64 + 1), "deflated once in each form");
    }
}

#[test]
fn of_much_that_is_kept_the_newest_is_deflated() {
    let registry = Registry::default();
    let log = registry.topic("a").unwrap();
    for number in 0..200 {
        publish(&registry, &log, &text(number, 1000));
    }
    log.listen(&registry, 0, DEFLATED, true);
    let first = (0..200).position(|offset| read(&registry, &log, DEFLATED, offset as u64).0);
    assert_eq!(first, Some(200 - 1 - 64 * 1024 / 1004), "the newest 64 KiB, and the one that exceeds them");
    for number in 0..200 {
        assert_eq!(read(&registry, &log, DEFLATED, number as u64).1, text(number, 1000));
    }
}

#[test]
fn what_is_saved_counts_for_each_subscriber() {
    let registry = Registry::default();
    let log = registry.topic("a").unwrap();
    log.listen(&registry, 0, DEFLATED, true);
    let mut saved_before = 0;
    for subscribers in 0..3 {
        publish(&registry, &log, &text(7, 800));
        let all = figures(&registry);
        let each = (all.bytes_in - all.bytes_out) / all.messages;
        assert!(each > 700, "{all:?}");
        assert_eq!(all.saved_bytes - saved_before, subscribers * each);
        saved_before = all.saved_bytes;
        log.subscribed_in(DEFLATED);
    }
    (0..3).for_each(|_| log.unsubscribed_in(DEFLATED));
    publish(&registry, &log, &text(7, 800));
    assert_eq!(figures(&registry).saved_bytes, saved_before);
}

#[test]
fn an_event_stream_has_no_deflated_frames() {
    let registry = Registry::default();
    let events = registry.add_form(Encoding::new(Framing::Raw, |publication, out| {
        out.extend_from_slice(publication.payload);
    }));
    let log = registry.topic("a").unwrap();
    log.listen(&registry, 0, events.deflated(), true);
    let payload = text(1, 500);
    publish(&registry, &log, &payload);
    let (place, _) = log.locate(&registry, events.deflated(), 0);
    assert_eq!(place.unwrap().segment.message(0), payload);
}

#[test]
fn settings_are_one_word() {
    for settings in [
        SharedDeflate::default(),
        SharedDeflate { window_bits: 8, level: 1, bytes_min: 0 },
        SharedDeflate { window_bits: 15, level: 9, bytes_min: u32::MAX as usize },
    ] {
        assert_eq!(SharedDeflate::unpack(settings.pack()), settings);
        assert!(settings.check().is_ok());
    }
    for (settings, said) in [
        (SharedDeflate { window_bits: 7, ..SharedDeflate::default() }, "window_bits is 7"),
        (SharedDeflate { window_bits: 16, ..SharedDeflate::default() }, "window_bits is 16"),
        (SharedDeflate { level: 0, ..SharedDeflate::default() }, "level is 0"),
        (SharedDeflate { level: 10, ..SharedDeflate::default() }, "level is 10"),
    ] {
        let text = settings.check().unwrap_err().to_string();
        assert!(text.contains(said), "{text}");
    }
}
