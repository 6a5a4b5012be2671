-- Holds beyond one conversation, releases that wait for a second moderator, blocks, and copies of the chat's bucket keys.

-- A hold on a relationship (both ids) or on everything of a distributor (customer_id is null).
select replication.add_table('chat', 'holds', $$
  scope                 text not null,
  distributor_id        text,
  customer_id           text,
  active                boolean not null,
  reason                text,
  placed_by             text,
  placed_at             timestamptz,
  grace_until           timestamptz
$$);

select replication.add_table('chat', 'releases', $$
  requested_by          text not null,
  requested_at          timestamptz not null,
  reason                text not null
$$);

select replication.add_table('chat', 'blocks', $$
  conversation_id       text not null,
  user_id               text not null,
  blocked_at            timestamptz not null
$$);

-- The chat's bucket keys, each wrapped by a key that derives from the box's master key, which is never here. They travel by a step of
-- their own and not in the log: what the box destroys is deleted here too.
select replication.add_table('replication', 'bucket_keys', $$
  kind                  bytea not null,
  created_at            timestamptz not null,
  wrap_version          bigint not null,
  wrapped               bytea not null
$$);

-- What a link of the audit trail is about beyond one conversation.
alter table chat.audits add column subject text;
drop function chat.put_audits;
select replication.add_functions('chat', 'audits', append_only => true);
create index audits_by_seq on chat.audits (box_id, seq);

-- A box of before does not know what a link is about, so central takes none of its links any more.
create or replace function replication.schema(out current bigint, out oldest bigint) language sql stable security definer
  set search_path = pg_catalog, pg_temp
  as $$ select coalesce(max(version), 0)::bigint, 4::bigint from replication.migrations $$;

-- The end of the calling box's audit trail as central has it, and how many links there are: the box compares them with its own at each
-- contact, so that a trail that was cut, rolled back or grown anew on the box is seen.
create function chat.audit_head(out seq bigint, out hash bytea, out links bigint) language sql stable security definer
  set search_path = pg_catalog, pg_temp as $$
  select coalesce(max(a.seq), 0),
         (array_agg(a.hash order by a.seq desc, a.id desc))[1],
         count(*)
    from chat.audits a where a.box_id = replication.caller()
$$;
do $$
begin
  revoke all on function chat.audit_head() from public;
  execute format('grant execute on function chat.audit_head() to %I', replication.box_group());
end $$;
