//! `/problems/{code}`: what a refusal means, in English and Pidgin, for a person who opened its `type`.
//!
//! Must not know when a refusal is due.

use crate::http::page;
use crate::http::problem::Code;
use crate::http::reply::Response;

/// The page of one code. Its texts are constants of ours, none of which has a character that HTML knows.
#[must_use]
pub fn of(code: Code) -> Response {
    let (title, detail) = pidgin(code);
    let (name, status) = (code.as_str(), code.status());
    let content = format!(
        "<section><h2>English</h2><p>{explained}</p></section>\
         <section lang=\"pcm\"><h2>Pidgin</h2><p><strong>{title}</strong></p><p>{detail}</p></section>\
         <p class=\"soft\">{name}, HTTP {status}</p>",
        explained = code.detail(),
    );
    page::of(code.title(), &content)
}

/// Title and explanation in Pidgin.
// Long because it has one line for every code, and a code without one does not compile.
#[rustfmt::skip]
const fn pidgin(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::MalformedJson => ("No be JSON", "Wetin you send no be JSON, so the box no fit read am."),
        Code::BadCursor => ("Page no dey", "This list no give this cursor. Start again without am."),
        Code::BadRequest => ("E no clear", "The box no understand wetin you ask."),
        Code::BadHandshake => ("No be WebSocket handshake", "This address na WebSocket. Open am with one."),
        Code::Unauthenticated => ("You never sign in", "Sign in first, then send the access token."),
        Code::InvalidCredentials => ("Name or password no correct", "The name or the password no match."),
        Code::InvalidRefresh => ("Session don end", "The box no know this refresh token, or e don end. Sign in again."),
        Code::RefreshReused => ("Dem don end the session", "Person don use this refresh token before, so the whole session don end. Sign in again."),
        Code::InvalidOtp => ("Code no correct", "The code no correct, or e don expire."),
        Code::Forbidden => ("You no fit", "This account no get permission for that one."),
        Code::AccountSuspended => ("Dem don stop the account", "Dem don stop this account. Ask the owner of the box."),
        Code::AccessLapsed => ("Your time don finish", "Your time to read this talk don finish. Open am again with reason."),
        Code::PasswordChangeRequired => ("Change the password first", "Na another person set this password. Choose your own first."),
        Code::RegistrationClosed => ("You need invite", "To get account, you need invite."),
        Code::NotEntitled => ("You no fit chat with this person", "Na only distributor and im own customer fit write each other."),
        Code::Blocked => ("You don block this person", "Who block person no fit write am too. Remove the block first."),
        Code::ForeignOrigin => ("Page from outside", "This page no be the box own."),
        Code::HttpsRequired => ("Use HTTPS", "Who dey run the box, and im staff, dey sign in with https:// only. Players fit use http://."),
        Code::NotFound => ("E no dey", "Nothing dey here."),
        Code::MethodNotAllowed => ("This method no dey work here", "This address no dey take that method."),
        Code::RequestTimeout => ("E slow too much", "The request no reach on time."),
        Code::UsernameTaken => ("Person don take the name", "Person don take this name. Choose another one."),
        Code::InviteRedeemed => ("Person don use the invite", "Person don use this invite."),
        Code::InviteAnswered => ("Dem don answer the invite", "Dem don answer this invite already."),
        Code::AlreadyCustomer => ("You be customer already", "This account get distributor already."),
        Code::IdempotencyKeyReused => ("Dem don use the key", "This Idempotency-Key don come before with another request."),
        Code::StaleState => ("The game don move", "The game no dey where you think. Look am again."),
        Code::OwnMessage => ("Na your own message", "Person wey send message no fit confirm im own."),
        Code::AlreadyHeld => ("Hold dey already", "This talk dey under legal hold already."),
        Code::NotHeld => ("No hold dey", "This talk no dey under any legal hold."),
        Code::SecondModerator => ("Another moderator must gree", "Na you ask for this release. Another moderator must gree to am."),
        Code::ClockDiffers => ("The time no be the same", "The box dey show another time, or central no gree with am. Set the clock first."),
        Code::Conflict => ("E no fit happen now", "As things dey now, that one no fit happen."),
        Code::MatchOver => ("Match don finish", "The match don finish."),
        Code::RoundLive => ("Round never finish", "Dem still dey play the round."),
        Code::RoundOver => ("Round don finish", "The round don finish. The next one never start."),
        Code::NotYourTurn => ("No be your turn", "Na the other player turn."),
        Code::CardNotInHand => ("No be your card", "That card no dey your hand."),
        Code::MustPlayDrawn => ("Play the card wey you pick", "After market, na only the card wey you pick you fit play."),
        Code::ShapeRequired => ("Call shape", "Whot card must call one shape."),
        Code::ShapeNotAllowed => ("No call shape here", "Na only Whot card dey call shape."),
        Code::PenaltyPending => ("Answer the penalty", "That card no fit answer the penalty."),
        Code::NoMatch => ("E no follow", "That card no follow the one wey dey table."),
        Code::SpecialFinish => ("You no fit finish with this", "The rules no gree make round finish with that card."),
        Code::BadCall => ("Wrong call", "That call no fit your hand."),
        Code::AlreadyDrew => ("You don go market", "You don pick one card this turn."),
        Code::MustPlay => ("You get card to play", "The rules say go market only when you no get card to play."),
        Code::CannotPass => ("You no fit pass", "You fit pass only after you don go market."),
        Code::InviteExpired => ("Invite don expire", "This invite don expire. Ask for new one."),
        Code::InviteRevoked => ("Dem don take back the invite", "Dem don take back this invite."),
        Code::PayloadTooLarge => ("E big too much", "The box dey take only 64 KiB for one request."),
        Code::UnsupportedMediaType => ("The label no say JSON", "Send am as application/json."),
        Code::Invalid => ("E no fit", "One or more fields no correct."),
        Code::BadAction => ("No be action", "Player no fit do that kind action."),
        Code::BadOptions => ("No be correct rules", "These options no dey, or dem no follow each other."),
        Code::UpgradeRequired => ("Na WebSocket", "This address na WebSocket version 13. Open am with one."),
        Code::TooManyAttempts => ("You don try too much", "You don try too many times. Wait small, then try again."),
        Code::TooManyRequests => ("Requests too many", "Requests too many. Wait small, then continue."),
        Code::TooManyConnections => ("Connections too many", "This account open too many connections. Close one."),
        Code::Internal => ("Na our fault", "The box get problem. The request id go help the owner find wetin happen."),
        Code::Busy => ("The box get plenty work", "The box get more work than e fit do. Try again soon."),
        Code::StorageFull => ("Disk don full", "The disk of the box don full. Tell the owner make e create space."),
        Code::Unavailable => ("E no dey ready now", "This part of the box no dey ready now. Try again later."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_in_both_languages_without_markup() {
        for &code in Code::ALL {
            let (title, detail) = pidgin(code);
            for text in [code.title(), code.detail(), title, detail] {
                assert!(!text.is_empty() && !text.contains(['<', '>', '&', '"']), "{}: {text}", code.as_str());
            }
            assert_ne!(code.detail(), detail, "{} is not translated", code.as_str());
        }
    }
}
