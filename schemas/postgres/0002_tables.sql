-- The replicated tables of the box, each with box_id and id in front of the columns named here.
-- No foreign keys: rows arrive in two lanes and in the order of the log, and the box has already judged them.

create schema identity;
create schema customer;
create schema game;
create schema chat;

do $$
declare
  s text;
begin
  foreach s in array array['identity', 'customer', 'game', 'chat'] loop
    execute format('grant usage on schema %I to %I', s, replication.box_group());
  end loop;
end $$;

-- Names are unique in a box and not across boxes: the box is what judges them, this is the guard.
select replication.add_table('identity', 'users', $$
  username              text not null,
  role                  text not null,
  account_type          text not null,
  distributor_id        text,
  alias                 text,
  phone_sealed          bytea,
  phone_digest          bytea,
  phone_verified        boolean not null,
  vip_enabled           boolean not null,
  status                text not null,
  must_change_password  boolean not null,
  password_hash         text not null,
  created_at            timestamptz not null,
  updated_at            timestamptz not null
$$, extra => ', unique (box_id, username) deferrable');

-- One row for each family of a session's tokens.
select replication.add_table('identity', 'refresh_tokens', $$
  user_id               text not null,
  generation            bigint not null,
  token_digest          bytea not null,
  previous_digest       bytea,
  rotated_at            timestamptz,
  created_at            timestamptz not null,
  last_used_at          timestamptz not null,
  expires_at            timestamptz not null,
  idle_expires_at       timestamptz not null,
  revoked_at            timestamptz,
  revoke_reason         text
$$);

select replication.add_table('identity', 'user_login_attempts', $$
  username              text not null,
  user_id               text,
  outcome               text not null,
  address               text,
  at                    timestamptz not null
$$);

select replication.add_table('identity', 'user_otps', $$
  user_id               text not null,
  purpose               text not null,
  code_digest           bytea not null,
  tries                 bigint not null,
  sender                text not null,
  created_at            timestamptz not null,
  expires_at            timestamptz not null,
  used_at               timestamptz
$$);

-- The four tables of the old services that are kept and replicated, and served nowhere. extra holds their other columns.
select replication.add_table('identity', 'influencers', $$
  user_id               text,
  name                  text,
  code                  text,
  status                text,
  created_at            timestamptz,
  extra                 jsonb not null
$$);

select replication.add_table('identity', 'referrals', $$
  influencer_id         text,
  referred_user_id      text,
  code                  text,
  status                text,
  created_at            timestamptz,
  extra                 jsonb not null
$$);

select replication.add_table('identity', 'earnings', $$
  influencer_id         text,
  referral_id           text,
  amount_minor          bigint,
  currency              text,
  status                text,
  created_at            timestamptz,
  extra                 jsonb not null
$$);

select replication.add_table('identity', 'user_influencer_codes', $$
  user_id               text,
  influencer_id         text,
  code                  text,
  created_at            timestamptz,
  extra                 jsonb not null
$$);

select replication.add_table('customer', 'invites', $$
  token_digest          bytea not null,
  code_digest           bytea not null,
  distributor_id        text not null,
  distributor_alias     text,
  status                text not null,
  expires_at            timestamptz not null,
  redeemed_by_user_id   text,
  redeemed_at           timestamptz,
  revoked_at            timestamptz,
  created_at            timestamptz not null
$$);

select replication.add_table('customer', 'relationships', $$
  customer_id           text not null,
  distributor_id        text not null,
  customer_username     text not null,
  distributor_alias     text,
  status                text not null,
  created_at            timestamptz not null,
  ended_at              timestamptz
$$);

select replication.add_table('game', 'invites', $$
  sender_id             text not null,
  sender_username       text not null,
  recipient_id          text not null,
  recipient_username    text not null,
  options               jsonb not null,
  commitment            bytea not null,
  status                text not null,
  game_id               text,
  rematch_of            text,
  expires_at            timestamptz not null,
  created_at            timestamptz not null,
  answered_at           timestamptz
$$);

select replication.add_table('game', 'sessions', $$
  player0_id            text,
  player1_id            text,
  player0_username      text not null,
  player1_username      text not null,
  bot_level             text,
  options               jsonb not null,
  first_starter         bigint not null,
  phase                 text not null,
  seq                   bigint not null,
  round                 bigint not null,
  turn                  bigint,
  current_player_id     text,
  top_card              text,
  called                text,
  rounds_won0           bigint not null,
  rounds_won1           bigint not null,
  points0               bigint not null,
  points1               bigint not null,
  winner                bigint,
  end_reason            text,
  void                  boolean not null,
  state                 bytea not null,
  reconnect_digest0     bytea,
  reconnect_digest1     bytea,
  created_at            timestamptz not null,
  updated_at            timestamptz not null,
  ended_at              timestamptz
$$);

-- One row for each round; what proves it is here once the round is over.
select replication.add_table('game', 'rounds', $$
  game_id               text not null,
  round                 bigint not null,
  commitment            bytea not null,
  secret_sealed         bytea,
  server_seed           bytea,
  nonce0                bytea,
  nonce1                bytea,
  seed                  bytea,
  starter               bigint,
  actions               bytea not null,
  result                jsonb,
  started_at            timestamptz,
  ended_at              timestamptz
$$);

select replication.add_table('chat', 'conversations', $$
  distributor_id        text not null,
  customer_id           text not null,
  hold_active           boolean not null,
  hold_reason           text,
  hold_placed_by        text,
  hold_placed_at        timestamptz,
  last_seq              bigint not null,
  last_message_at       timestamptz,
  created_at            timestamptz not null
$$);

-- Ciphertext only. delivered_by, read_by and deleted_for are arrays of user ids.
select replication.add_table('chat', 'messages', $$
  conversation_id       text not null,
  seq                   bigint not null,
  sender_id             text not null,
  client_message_digest bytea,
  participant_bucket    text,
  participant_sealed    bytea,
  archive_bucket        text,
  archive_sealed        bytea,
  created_at            timestamptz not null,
  expires_at            timestamptz not null,
  delivered_by          jsonb not null,
  read_by               jsonb not null,
  delivered_at          timestamptz,
  read_at               timestamptz,
  deleted_for           jsonb not null,
  vanished_at           timestamptz
$$);

-- What moderators did, hash-chained by the box. Append-only: nobody rewrites it here either.
select replication.add_table('chat', 'audits', $$
  seq                   bigint not null,
  conversation_id       text,
  moderator_id          text not null,
  action                text not null,
  code                  text not null,
  reason                text not null,
  at                    timestamptz not null,
  prev_hash             bytea not null,
  hash                  bytea not null
$$, append_only => true);

-- Rows that central refused, as each box has them on its own list; the box re-drives them.
select replication.add_table('replication', 'dead_letters', $$
  table_name            text not null,
  row_id                text not null,
  reason                text not null,
  refused_at            timestamptz not null,
  tries                 bigint not null
$$);

-- The fleet, one row a box; for the operator.
create view replication.box_status with (security_invoker = true) as
  select b.box_id, b.name, b.role_name, b.enrolled_at, b.revoked_at, b.epoch, b.parent_epoch,
         greatest(b.last_contact_at, u.updated_at, k.updated_at) as last_seen_at,
         b.reported_clock - b.last_contact_at as clock_error,
         b.schema_version, b.software_version,
         u.seq as urgent_seq, k.seq as bulk_seq,
         (select count(*) from replication.dead_letters d where d.box_id = b.box_id) as dead_letters
    from replication.boxes b
    left join replication.cursors u on u.box_id = b.box_id and u.lane = 'urgent'
    left join replication.cursors k on k.box_id = b.box_id and k.lane = 'bulk';
comment on view replication.box_status is 'The fleet, one row a box.';
comment on column replication.box_status.last_seen_at is 'When the box last said hello, sent rows or was enrolled.';
comment on column replication.box_status.clock_error is 'How far the box''s clock was ahead of central''s at its last hello.';
comment on column replication.box_status.dead_letters is 'Rows that central refused and the box has not mended.';
