//! What can be refused, as words that a client may rely on.

/// An error's code; `docs/wire.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    BadJson,
    BadCommand,
    UnknownCommand,
    BadTopic,
    BadQuery,
    BadText,
    BadToken,
    Unauthorized,
    Forbidden,
    BadOrigin,
    UnknownTopic,
    NotSubscribed,
    TooLarge,
    TooManyTopics,
    RateLimited,
    ServerFull,
}

impl Code {
    /// How many there are.
    pub(crate) const COUNT: usize = Self::ServerFull as usize + 1;

    /// All of them, in their order.
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::BadJson,
        Self::BadCommand,
        Self::UnknownCommand,
        Self::BadTopic,
        Self::BadQuery,
        Self::BadText,
        Self::BadToken,
        Self::Unauthorized,
        Self::Forbidden,
        Self::BadOrigin,
        Self::UnknownTopic,
        Self::NotSubscribed,
        Self::TooLarge,
        Self::TooManyTopics,
        Self::RateLimited,
        Self::ServerFull,
    ];

    /// As it is sent.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadCommand => "bad_command",
            Self::UnknownCommand => "unknown_command",
            Self::BadTopic => "bad_topic",
            Self::BadQuery => "bad_query",
            Self::BadText => "bad_text",
            Self::BadToken => "bad_token",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::BadOrigin => "bad_origin",
            Self::UnknownTopic => "unknown_topic",
            Self::NotSubscribed => "not_subscribed",
            Self::TooLarge => "too_large",
            Self::TooManyTopics => "too_many_topics",
            Self::RateLimited => "rate_limited",
            Self::ServerFull => "server_full",
        }
    }

    /// The HTTP status where it answers a request.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::BadToken | Self::Unauthorized => 401,
            Self::Forbidden | Self::BadOrigin => 403,
            Self::UnknownTopic | Self::NotSubscribed => 404,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::ServerFull => 503,
            Self::BadJson
            | Self::BadCommand
            | Self::UnknownCommand
            | Self::BadTopic
            | Self::BadQuery
            | Self::BadText
            | Self::TooManyTopics => 400,
        }
    }
}
