//! The tables of the old services and their fields, with the names that installations give them.
//!
//! Data alone: what is looked for, what must be there. The order of the tables is the order of the import, so that what is
//! named by others comes first. Must not know how a field is read.

/// One of the four old services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Accounts.
    Identity,
    /// Invites and relationships.
    Customer,
    /// Matches.
    Game,
    /// Conversations.
    Chat,
}

impl Service {
    /// Every service, in the order of the import.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Customer, Self::Game, Self::Chat];

    /// Its name in flags, maps and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Customer => "customer",
            Self::Game => "game",
            Self::Chat => "chat",
        }
    }
}

/// A field of a table.
#[derive(Debug)]
pub struct Field {
    /// Its name here.
    pub name: &'static str,
    /// Without it nothing of the table can be taken.
    pub required: bool,
    /// Its names elsewhere.
    pub synonyms: &'static [&'static str],
}

/// A table of an old service.
#[derive(Debug)]
pub struct Table {
    /// `service.name`.
    pub key: &'static str,
    /// Whose it is.
    pub service: Service,
    /// Without it there is nothing to import of the service.
    pub required: bool,
    /// Its names elsewhere.
    pub synonyms: &'static [&'static str],
    /// Its fields. The first is the id.
    pub fields: &'static [Field],
    /// The field by whose time the rows are taken, where their order matters.
    pub by_time: Option<&'static str>,
    /// Columns that no field names go, as one JSON object, into the field `extra`.
    pub keeps_rest: bool,
}

impl Table {
    /// The name without the service.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }
}

const fn must(name: &'static str, synonyms: &'static [&'static str]) -> Field {
    Field { name, required: true, synonyms }
}

const fn may(name: &'static str, synonyms: &'static [&'static str]) -> Field {
    Field { name, required: false, synonyms }
}

const CREATED: &[&str] =
    &["created", "created_on", "inserted_at", "creation_time", "date_created", "created_ts", "ts", "timestamp"];
const EXPIRES: &[&str] =
    &["expires", "expiry", "expires_on", "expiration", "valid_until", "expire_at", "expiry_at", "expires_ts"];

const fn created() -> Field {
    may("created_at", CREATED)
}

const fn extra() -> Field {
    may("extra", &[])
}

const fn table(
    key: &'static str,
    service: Service,
    synonyms: &'static [&'static str],
    fields: &'static [Field],
) -> Table {
    Table { key, service, required: true, synonyms, fields, by_time: None, keeps_rest: false }
}

const fn optional(table: Table) -> Table {
    Table { required: false, ..table }
}

const fn legacy(key: &'static str, synonyms: &'static [&'static str], fields: &'static [Field]) -> Table {
    Table { required: false, keeps_rest: true, ..table(key, Service::Identity, synonyms, fields) }
}

/// Every table, in the order of the import.
pub static TABLES: &[Table] = &[
    table(
        "identity.users",
        Service::Identity,
        &["user", "accounts", "account", "auth_user", "app_users"],
        &[
            must("id", &["user_id", "uuid", "uid", "pk", "account_id"]),
            must("username", &["user_name", "login", "login_name", "name", "handle", "nickname"]),
            may(
                "password_hash",
                &[
                    "hashed_password",
                    "password",
                    "passwd",
                    "password_digest",
                    "pw_hash",
                    "pwd_hash",
                    "credentials",
                    "credential",
                    "secret_hash",
                    "encrypted_password",
                    "passhash",
                ],
            ),
            may("role", &["user_role", "role_name", "access_role"]),
            may("account_type", &["acct_type", "type", "kind", "user_type", "account_kind"]),
            may(
                "distributor_id",
                &["dist_id", "distributor", "distributor_user_id", "owner_id", "parent_id", "sponsor_id"],
            ),
            may("alias", &["distributor_alias", "display_name", "shown_name", "full_name", "title"]),
            may("phone", &["phone_number", "msisdn", "mobile", "telephone", "phone_no", "tel"]),
            may(
                "phone_verified",
                &[
                    "is_phone_verified",
                    "phone_confirmed",
                    "phone_is_verified",
                    "phone_state",
                    "phone_verified_at",
                    "verified",
                ],
            ),
            may("vip_enabled", &["vip", "is_vip", "vip_flag"]),
            may("status", &["state", "account_status", "is_active", "active", "enabled"]),
            may(
                "created_at",
                &[
                    "created",
                    "created_on",
                    "date_joined",
                    "joined_at",
                    "registered_at",
                    "inserted_at",
                    "signup_at",
                    "creation_time",
                ],
            ),
        ],
    ),
    optional(table(
        "identity.refresh_tokens",
        Service::Identity,
        &["refresh_token", "refreshtokens", "user_refresh_tokens", "tokens", "user_sessions"],
        &[
            must("id", &["token_id", "uuid", "pk", "jti"]),
            must("user_id", &["user", "owner_id", "account_id", "uid"]),
            must("token", &["refresh_token", "token_hash", "hashed_token", "token_value", "value", "token_digest"]),
            may("expires_at", EXPIRES),
            may("used", &["used_at", "is_used", "consumed", "consumed_at", "rotated", "rotated_at", "replaced_by"]),
            may("revoked", &["revoked_at", "is_revoked", "invalidated", "blacklisted"]),
            created(),
        ],
    )),
    optional(table(
        "identity.user_login_attempts",
        Service::Identity,
        &["login_attempts", "login_attempt", "user_login_attempt", "logins", "auth_attempts"],
        &[
            must("id", &["attempt_id", "uuid", "pk"]),
            may("user_id", &["user", "account_id", "uid"]),
            may("username", &["user_name", "login", "login_name", "identifier", "name"]),
            must("success", &["succeeded", "was_successful", "successful", "is_success", "ok", "outcome", "result"]),
            may("address", &["ip", "ip_address", "ip_addr", "client_ip", "remote_addr"]),
            must(
                "created_at",
                &["attempted_at", "at", "attempt_time", "timestamp", "ts", "created", "created_on", "occurred_at"],
            ),
        ],
    )),
    optional(table(
        "identity.user_otps",
        Service::Identity,
        &["otps", "otp", "user_otp", "one_time_codes", "otp_codes"],
        &[
            must("id", &["otp_id", "uuid", "pk"]),
            may("user_id", &["user", "account_id", "uid"]),
            may("expires_at", EXPIRES),
            may("used", &["used_at", "is_used", "consumed", "consumed_at", "verified", "verified_at"]),
        ],
    )),
    legacy(
        "identity.influencers",
        &["influencer"],
        &[
            must("id", &["influencer_id", "uuid", "pk"]),
            may("user_id", &["user", "account_id"]),
            may("name", &["full_name", "display_name", "title"]),
            may("code", &["referral_code", "influencer_code", "promo_code"]),
            may("status", &["state"]),
            created(),
            extra(),
        ],
    ),
    legacy(
        "identity.referrals",
        &["referral", "user_referrals"],
        &[
            must("id", &["referral_id", "uuid", "pk"]),
            may("influencer_id", &["influencer", "referrer_id"]),
            may("referred_user_id", &["referred_id", "user_id", "referee_id"]),
            may("code", &["referral_code"]),
            may("status", &["state"]),
            created(),
            extra(),
        ],
    ),
    legacy(
        "identity.earnings",
        &["earning", "influencer_earnings", "commissions"],
        &[
            must("id", &["earning_id", "uuid", "pk"]),
            may("influencer_id", &["influencer"]),
            may("referral_id", &["referral"]),
            may("amount_minor", &["amount_kobo", "amount_cents", "minor_amount"]),
            may("currency", &["currency_code"]),
            may("status", &["state"]),
            created(),
            extra(),
        ],
    ),
    legacy(
        "identity.user_influencer_codes",
        &["user_influencer_code", "influencer_codes"],
        &[
            must("id", &["uuid", "pk"]),
            may("user_id", &["user", "account_id"]),
            may("influencer_id", &["influencer"]),
            may("code", &["influencer_code", "referral_code"]),
            created(),
            extra(),
        ],
    ),
    optional(table(
        "customer.invites",
        Service::Customer,
        &["invite", "invitations", "customer_invites", "invite_tokens"],
        &[
            must("id", &["invite_id", "uuid", "pk", "token", "invite_token"]),
            must("token", &["invite_token", "code", "token_value"]),
            must(
                "distributor_id",
                &["dist_id", "distributor", "distributor_user_id", "owner_id", "created_by", "inviter_id"],
            ),
            may("distributor_alias", &["alias", "dist_alias", "distributor_name", "display_name"]),
            must("expires_at", EXPIRES),
            may(
                "redeemed_by_user_id",
                &["redeemed_by", "redeemer_id", "used_by", "used_by_user_id", "redeemed_user_id", "customer_id"],
            ),
            may("revoked", &["revoked_at", "is_revoked", "cancelled", "cancelled_at"]),
            created(),
        ],
    )),
    table(
        "customer.relationships",
        Service::Customer,
        &["relationship", "customer_relationships", "customers", "distributor_customers", "bonds"],
        &[
            must("id", &["relationship_id", "uuid", "pk", "customer_id", "cust_id", "customer"]),
            must("customer_id", &["cust_id", "customer", "customer_user_id", "user_id"]),
            must("distributor_id", &["dist_id", "distributor", "distributor_user_id", "owner_id"]),
            may("customer_username", &["cust_username", "username", "customer_name", "user_name"]),
            may("distributor_alias", &["alias", "dist_alias", "distributor_name"]),
            may("status", &["state", "is_active", "active"]),
            may("ended_at", &["ended", "ended_on", "terminated_at", "deleted_at", "removed_at"]),
            created(),
        ],
    ),
    optional(table(
        "game.invites",
        Service::Game,
        &["invite", "game_invites", "game_invite", "match_invites", "challenges"],
        &[
            must("id", &["invite_id", "uuid", "pk"]),
            must("sender_id", &["from_user_id", "from_id", "inviter_id", "challenger_id", "sender", "sender_user_id"]),
            must(
                "recipient_username",
                &["to_username", "recipient", "invitee_username", "recipient_name", "opponent_username", "to_user"],
            ),
            must("status", &["state", "invite_status"]),
            may("game_id", &["session_id", "match_id"]),
            created(),
        ],
    )),
    table(
        "game.sessions",
        Service::Game,
        &["session", "game_sessions", "game_session", "games", "game", "matches"],
        &[
            must("id", &["session_id", "game_id", "match_id", "uuid", "pk"]),
            must(
                "player1_id",
                &[
                    "player_one_id",
                    "player_1_id",
                    "player_a_id",
                    "player0_id",
                    "host_id",
                    "first_player_id",
                    "player1",
                    "p1_id",
                    "creator_id",
                    "first_user_id",
                ],
            ),
            must(
                "player2_id",
                &[
                    "player_two_id",
                    "player_2_id",
                    "player_b_id",
                    "guest_id",
                    "second_player_id",
                    "player2",
                    "p2_id",
                    "opponent_id",
                    "second_user_id",
                ],
            ),
            may("top_card", &["card_on_top", "top", "current_card", "pile_top"]),
            may("current_player", &["current_player_id", "turn", "turn_user_id", "active_player"]),
            may("reconnect_tokens", &["reconnect_token", "reconnect", "reconnection_tokens"]),
            may("scores", &["score", "scoreboard", "points"]),
            may(
                "score1",
                &[
                    "player1_score",
                    "player_one_score",
                    "score_1",
                    "score_a",
                    "p1_score",
                    "player_a_score",
                    "first_score",
                ],
            ),
            may(
                "score2",
                &[
                    "player2_score",
                    "player_two_score",
                    "score_2",
                    "score_b",
                    "p2_score",
                    "player_b_score",
                    "second_score",
                ],
            ),
            may("winner_id", &["winner", "winner_user_id", "won_by"]),
            may(
                "status",
                &["state", "game_status", "session_status", "finished", "is_finished", "is_over", "completed"],
            ),
            created(),
            may("ended_at", &["finished_at", "completed_at", "ended", "ended_on", "end_time", "closed_at"]),
            may("updated_at", &["updated", "modified_at", "last_activity", "last_activity_at", "last_move_at"]),
        ],
    ),
    table(
        "chat.conversations",
        Service::Chat,
        &["conversation", "threads", "chats", "chat_conversations", "dialogs", "rooms"],
        &[
            must("id", &["conversation_id", "thread_id", "chat_id", "uuid", "pk"]),
            must(
                "distributor_id",
                &[
                    "dist_id",
                    "distributor",
                    "participant_a_id",
                    "participant_one_id",
                    "first_participant_id",
                    "user_a_id",
                    "participant1_id",
                    "first_user_id",
                ],
            ),
            must(
                "customer_id",
                &[
                    "cust_id",
                    "customer",
                    "participant_b_id",
                    "participant_two_id",
                    "second_participant_id",
                    "user_b_id",
                    "participant2_id",
                    "second_user_id",
                ],
            ),
            may(
                "hold",
                &[
                    "legal_hold",
                    "on_hold",
                    "is_held",
                    "hold_state",
                    "legal_hold_active",
                    "held",
                    "hold_status",
                    "is_on_hold",
                    "hold_active",
                ],
            ),
            may("hold_reason", &["reason", "legal_hold_reason", "held_reason"]),
            may(
                "hold_by",
                &["legal_hold_by", "hold_placed_by", "held_by", "legal_hold_moderator_id", "hold_moderator_id"],
            ),
            may("hold_at", &["legal_hold_at", "hold_placed_at", "held_at", "legal_hold_placed_at"]),
            created(),
        ],
    ),
    Table {
        by_time: Some("created_at"),
        ..table(
            "chat.messages",
            Service::Chat,
            &["message", "chat_messages", "msgs", "chat_message"],
            &[
                must("id", &["message_id", "msg_id", "uuid", "pk"]),
                must("conversation_id", &["conversation", "thread_id", "chat_id", "room_id", "conv_id", "dialog_id"]),
                must("sender_id", &["from_user_id", "from_id", "author_id", "sender", "user_id", "sender_user_id"]),
                must(
                    "ciphertext",
                    &[
                        "encrypted_body",
                        "encrypted_content",
                        "body_encrypted",
                        "content_encrypted",
                        "cipher",
                        "cipher_text",
                        "body",
                        "content",
                        "text",
                        "message",
                        "payload",
                        "enc_body",
                    ],
                ),
                must(
                    "created_at",
                    &["sent_at", "timestamp", "ts", "created", "created_on", "created_ts", "sent_on", "inserted_at"],
                ),
                may(
                    "expires_at",
                    &[
                        "expires",
                        "expiry",
                        "archive_expires_at",
                        "expires_on",
                        "expire_at",
                        "retention_until",
                        "delete_after",
                        "expires_ts",
                    ],
                ),
                may(
                    "delivered_to",
                    &["delivered_set", "delivered_by", "delivered", "delivered_user_ids", "delivered_users"],
                ),
                may("read_by", &["read_set", "read", "seen_by", "read_user_ids", "read_users"]),
                may("delivered_at", &["delivered_on", "delivery_time"]),
                may("read_at", &["seen_at", "read_on", "read_time"]),
                may(
                    "deleted_for",
                    &[
                        "participant_deleted",
                        "participants_deleted",
                        "deleted_by",
                        "participant_deleted_at",
                        "participants_deleted_at",
                        "deleted_at",
                        "deleted",
                        "hidden_for",
                        "participant_deletion_marker",
                        "deleted_for_participants",
                    ],
                ),
            ],
        )
    },
    optional(table(
        "chat.audits",
        Service::Chat,
        &["audit", "audit_log", "moderation_audits", "moderation_log", "audit_logs", "chat_audits"],
        &[
            must("id", &["audit_id", "uuid", "pk"]),
            may("conversation_id", &["conversation", "thread_id", "chat_id", "conv_id"]),
            must("moderator_id", &["moderator", "moderator_user_id", "actor_id", "staff_id", "user_id"]),
            must("reason", &["why", "justification", "note", "comment"]),
            may("action", &["event", "operation", "kind", "type"]),
            may(
                "created_at",
                &["at", "created", "created_on", "timestamp", "ts", "viewed_at", "accessed_at", "occurred_at"],
            ),
        ],
    )),
];

/// The table of a key.
#[must_use]
pub fn table_of(key: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.key == key)
}
