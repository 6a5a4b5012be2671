//! Refusals: RFC 9457 problem documents, and the one list of every code that the box can answer with.
//!
//! A resource maps its domain's errors to a [`Code`] in one exhaustive match. Must not know a domain:
//! it says how a refusal looks on the wire, never when it is due. No internal text reaches a body.

use std::fmt;
use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::http::reply::Response;

/// The content type of every refusal (RFC 9457, section 6.1).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What a client without a token, or with a bad one, is told (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"whotbox\"";

/// Seconds after which a client may try again where the refusal itself names no time.
const DEFAULT_RETRY: u64 = 1;

macro_rules! codes {
    ($($name:ident $status:literal $code:literal $title:literal $detail:literal)*) => {
        /// Every code of the API. A code never changes its meaning; new ones may be added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the table below says what each one means, in the words the client gets")]
        pub enum Code { $($name),* }

        impl Code {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status),* } }

            /// The stable name, in `snake_case`.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $code),* } }

            /// A short title for a person.
            #[must_use]
            pub const fn title(self) -> &'static str { match self { $(Self::$name => $title),* } }

            /// What happened and what to do, where the refusal says nothing more exact.
            #[must_use]
            pub const fn detail(self) -> &'static str { match self { $(Self::$name => $detail),* } }
        }
    };
}

codes! {
    MalformedJson 400 "malformed_json" "Not JSON" "The body could not be read as JSON."
    BadCursor 400 "bad_cursor" "Unknown page" "This cursor was not given by this list. Start again without it."
    BadRequest 400 "bad_request" "Not understood" "The request could not be understood."
    BadHandshake 400 "bad_handshake" "Not a WebSocket handshake" "This address is a WebSocket; open it with one."
    Unauthenticated 401 "unauthenticated" "Not signed in" "Sign in and send the access token."
    InvalidCredentials 401 "invalid_credentials" "Wrong name or password" "The name or the password is wrong."
    InvalidRefresh 401 "invalid_refresh" "Session is over" "This refresh token is not known or has ended. Sign in again."
    RefreshReused 401 "refresh_reused" "Session was ended" "This refresh token was used before, so the whole session was ended. Sign in again."
    InvalidOtp 401 "invalid_otp" "Wrong code" "The code is wrong or has expired."
    Forbidden 403 "forbidden" "Not allowed" "This account may not do that."
    AccountSuspended 403 "account_suspended" "Account suspended" "This account is suspended. Ask the owner of the box."
    PasswordChangeRequired 403 "password_change_required" "Change the password first" "The password was set by somebody else. Choose an own one first."
    RegistrationClosed 403 "registration_closed" "Invitation needed" "An account is made with an invite."
    AccessLapsed 403 "access_lapsed" "Access has lapsed" "The access to this conversation has lapsed. Open it again with a reason."
    Blocked 403 "blocked" "You blocked this person" "Whoever blocks somebody cannot write to them either. Lift the block first."
    NotEntitled 403 "not_entitled" "No chat with this person" "Only a distributor and a customer of theirs may write to each other."
    ForeignOrigin 403 "foreign_origin" "Foreign page" "This page is not one of the box's own."
    HttpsRequired 403 "https_required" "Use HTTPS" "Who runs the box, and its staff, sign in by https:// only. Players may use http://."
    NotFound 404 "not_found" "Not found" "There is nothing here."
    MethodNotAllowed 405 "method_not_allowed" "Method not allowed" "This address does not take that method."
    RequestTimeout 408 "request_timeout" "Too slow" "The request did not arrive in time."
    UsernameTaken 409 "username_taken" "Name taken" "This name is taken. Choose another."
    InviteRedeemed 409 "invite_redeemed" "Invite used" "This invite has been used."
    InviteAnswered 409 "invite_answered" "Invite answered" "This invite has been answered."
    AlreadyCustomer 409 "already_customer" "Already a customer" "This account already has a distributor."
    IdempotencyKeyReused 409 "idempotency_key_reused" "Key used before" "This Idempotency-Key came with another request before."
    StaleState 409 "stale_state" "The game moved on" "The game is not where the request took it to be. Look again."
    OwnMessage 409 "own_message" "Own message" "A sender does not acknowledge an own message."
    AlreadyHeld 409 "already_held" "Already held" "This conversation is under a legal hold."
    NotHeld 409 "not_held" "Not held" "This conversation is under no legal hold."
    SecondModerator 409 "second_moderator_needed" "A second moderator must agree" "This release was asked for by the same moderator; another one must grant it."
    ClockDiffers 409 "clock_differs" "Another time" "The box shows another time, or central contradicts it. Set the clock right first."
    Conflict 409 "conflict" "Not possible now" "The present state does not allow that."
    MatchOver 409 "match_over" "Match over" "The match is over."
    RoundLive 409 "round_live" "Round still on" "The round is still being played."
    RoundOver 409 "round_over" "Round over" "The round is over; the next has not begun."
    NotYourTurn 409 "not_your_turn" "Not your turn" "It is the other player's turn."
    CardNotInHand 409 "card_not_in_hand" "Not your card" "That card is not in the hand."
    MustPlayDrawn 409 "must_play_drawn" "Play the drawn card" "After a draw only the drawn card may be played."
    ShapeRequired 409 "shape_required" "Name a shape" "A Whot card asks for a shape."
    ShapeNotAllowed 409 "shape_not_allowed" "No shape here" "Only a Whot card names a shape."
    PenaltyPending 409 "penalty_pending" "Answer the penalty" "That card cannot answer the penalty."
    NoMatch 409 "no_match" "Does not follow" "That card does not follow the card on the table."
    SpecialFinish 409 "special_finish" "Cannot finish with this" "The options do not let a round end with that card."
    BadCall 409 "bad_call" "Wrong call" "That call does not fit the hand."
    AlreadyDrew 409 "already_drew" "Already drew" "A card was drawn this turn."
    MustPlay 409 "must_play" "A card can be played" "The options let a player draw only without a card to play."
    CannotPass 409 "cannot_pass" "Cannot pass" "A player passes only after a draw."
    InviteExpired 410 "invite_expired" "Invite expired" "This invite has expired. Ask for a new one."
    InviteRevoked 410 "invite_revoked" "Invite revoked" "This invite was taken back."
    PayloadTooLarge 413 "payload_too_large" "Too large" "A body has at most 64 KiB."
    UnsupportedMediaType 415 "unsupported_media_type" "Not JSON by its label" "Send the body as application/json."
    Invalid 422 "validation_failed" "Does not fit" "One or more fields do not fit."
    BadAction 422 "bad_action" "Not an action" "This is no action that a player can take."
    BadOptions 422 "bad_options" "Not a set of rules" "These options do not exist or do not go together."
    UpgradeRequired 426 "upgrade_required" "A WebSocket" "This address is a WebSocket of version 13; open it with one."
    TooManyAttempts 429 "too_many_attempts" "Too many attempts" "Too many attempts. Wait, then try again."
    TooManyRequests 429 "too_many_requests" "Too many requests" "Too many requests. Wait, then go on."
    TooManyConnections 429 "too_many_connections" "Too many connections" "This account has too many open connections. Close one."
    Internal 500 "internal" "Our fault" "The box failed. The request id helps its owner to find out why."
    Busy 503 "busy" "Busy" "The box has more to do than it can. Try again soon."
    StorageFull 507 "storage_full" "Disk full" "The disk of the box is full. Ask its owner to make room."
    Unavailable 503 "unavailable" "Not available now" "This part of the box is not available now. Try again later."
}

impl Code {
    /// The code of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// The status as hyper's type.
    #[must_use]
    pub fn http_status(self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// One field of a request that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Where: member names and indexes joined by dots, as in `options.hand_size`; empty for the whole body.
    pub field: String,
    /// What is wrong with it, in one sentence for a person.
    pub message: String,
}

/// A refusal. Handlers return it; the edge renders it with the request's id.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Which refusal this is; gives status and title.
    pub code: Code,
    /// One sentence for a person; the code's own where `None`.
    pub detail: Option<String>,
    /// The fields that do not fit (422).
    pub errors: Vec<FieldError>,
    /// When to try again (429 and 503), rounded up to seconds.
    pub retry_after: Option<Duration>,
    /// What the address takes (405).
    pub allow: Vec<Method>,
    /// Further members of the document, such as `seq` beside `stale_state`.
    pub extra: Map<String, Value>,
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl Problem {
    /// The refusal of this code with its usual words.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { code, detail: None, errors: Vec::new(), retry_after: None, allow: Vec::new(), extra: Map::new() }
    }

    /// A 422 about one field.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Code::Invalid).and_field(field, message)
    }

    /// A failure of the box itself: `cause` goes to the log, the client gets `internal` alone.
    #[must_use]
    pub fn internal(cause: &dyn fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed inside the box");
        Self::new(Code::Internal)
    }

    /// The same with one more field that does not fit.
    #[must_use]
    pub fn and_field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), message: message.into() });
        self
    }

    /// The same with a more exact sentence. It must hold nothing internal and nothing secret.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same with the time after which to try again.
    #[must_use]
    pub const fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The same with one more member in the document.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(member.to_owned(), value.into());
        self
    }

    /// Seconds for `Retry-After`, where the status asks for it.
    fn retry_seconds(&self) -> Option<u64> {
        let asked = matches!(self.code.status(), 429 | 503);
        let given = self.retry_after.map(|after| after.as_secs() + u64::from(after.subsec_nanos() > 0));
        given.or(asked.then_some(DEFAULT_RETRY))
    }

    /// The document.
    #[must_use]
    pub fn document(&self, request_id: &str) -> Value {
        let mut out = self.extra.clone();
        let code = self.code;
        out.insert("type".to_owned(), json!(format!("/problems/{}", code.as_str())));
        out.insert("title".to_owned(), json!(code.title()));
        out.insert("status".to_owned(), json!(code.status()));
        out.insert("detail".to_owned(), json!(self.detail.as_deref().unwrap_or(code.detail())));
        out.insert("instance".to_owned(), json!(format!("urn:whotbox:request:{request_id}")));
        out.insert("code".to_owned(), json!(code.as_str()));
        out.insert("request_id".to_owned(), json!(request_id));
        if code.status() == 422 || !self.errors.is_empty() {
            out.insert("errors".to_owned(), json!(self.errors));
        }
        if let Some(seconds) = self.retry_seconds() {
            out.insert("retry_after".to_owned(), json!(seconds));
        }
        Value::Object(out)
    }

    /// The reply, with the headers that belong to the status.
    #[must_use]
    pub fn render(&self, request_id: &str) -> Response {
        let mut reply = Response::new(self.document(request_id).to_string().into());
        *reply.status_mut() = self.code.http_status();
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.code.status() == 401 {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        if self.code == Code::MethodNotAllowed {
            let names: Vec<&str> = self.allow.iter().map(Method::as_str).collect();
            headers.insert(ALLOW, HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("")));
        }
        if self.code == Code::UpgradeRequired {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        if let Some(seconds) = self.retry_seconds() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        reply
    }

    /// A reply that carries this refusal to the edge, which knows the request's id and renders it.
    #[must_use]
    pub fn into_response(self) -> Response {
        let mut reply = Response::new(String::new().into());
        *reply.status_mut() = self.code.http_status();
        reply.extensions_mut().insert(Box::new(self));
        reply
    }

    /// Takes a refusal out of a reply that carries one.
    #[must_use]
    pub fn take_from(reply: &mut Response) -> Option<Self> {
        reply.extensions_mut().remove::<Box<Self>>().map(|carried| *carried)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_written_in_snake_case() {
        let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code:?}");
            assert!(code.detail().ends_with('.'), "{code:?}");
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert_eq!(Code::from_name(code.as_str()), Some(*code));
        }
    }

    #[test]
    fn waiting_is_rounded_up_and_named_twice() {
        let problem = Problem::new(Code::TooManyAttempts).retry_after(Duration::from_millis(1500));
        let reply = problem.render("r1");
        assert_eq!(reply.headers()[RETRY_AFTER], "2");
        assert_eq!(problem.document("r1")["retry_after"], 2);
    }
}
