-- Orders from central to a box. The operator issues them; the box asks at every contact, carries each out once and in order, and
-- answers by its log: so an answer has its effect once, and a box that was set back to an older copy carries them out again.

create table replication.directives (
  box_id      uuid not null,
  seq         bigint not null check (seq > 0),
  kind        text not null check (kind in ('hold', 'release', 'suspend', 'restore', 'provision_distributor', 'settings')),
  arguments   jsonb not null default '{}' check (jsonb_typeof(arguments) = 'object'),
  issued_by   text not null default session_user,
  issued_at   timestamptz not null default clock_timestamp(),
  primary key (box_id, seq)
);
comment on table replication.directives is 'Orders to boxes, numbered for each box. Issue them with replication.direct(); none is ever changed.';
comment on column replication.directives.arguments is 'hold, release: conversation_id, reason; suspend, restore: user_id or username; provision_distributor: username, alias; settings: archive_days.';
alter table replication.directives enable row level security, force row level security;
create policy own on replication.directives for select using (box_id = (select replication.caller()));
create policy operator on replication.directives
  using ((select replication.operator())) with check ((select replication.operator()));
create trigger append_only before update or delete on replication.directives
  for each row execute function replication.refuse_rewrite();
create trigger append_only_all before truncate on replication.directives
  for each statement execute function replication.refuse_rewrite();

select replication.add_table('replication', 'answers', $$
  seq                   bigint not null,
  kind                  text not null,
  outcome               text not null,
  detail                text,
  at                    timestamptz not null
$$);
comment on table replication.answers is 'What became of each directive, as its box said: applied, or refused with the reason in detail.';

-- Issues an order and returns its number. It comes after all that were ever answered, also where central was set back since.
create function replication.direct(box uuid, kind text, arguments jsonb default '{}') returns bigint language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  number bigint;
begin
  perform from replication.boxes b where b.box_id = box and b.revoked_at is null for update;
  if not found then
    raise exception 'there is no such box, or it was revoked' using errcode = 'WB001';
  end if;
  select greatest((select max(d.seq) from replication.directives d where d.box_id = box),
                  (select max(a.seq) from replication.answers a where a.box_id = box), 0) + 1 into number;
  insert into replication.directives (box_id, seq, kind, arguments) values (box, number, direct.kind, direct.arguments);
  return number;
end $$;
comment on function replication.direct is 'Orders a box to do something: select replication.direct(box_id, ''hold'', ''{"conversation_id": "…", "reason": "…"}'').';

-- The calling box's orders above a number, in order.
create function replication.directives_after(after bigint, most bigint,
  out seqs bigint[], out kinds text[], out arguments text[], out issuers text[]) language sql stable security definer
  set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(d.seq order by d.seq), array[]::bigint[]), coalesce(array_agg(d.kind order by d.seq), array[]::text[]),
         coalesce(array_agg(d.arguments::text order by d.seq), array[]::text[]),
         coalesce(array_agg(d.issued_by order by d.seq), array[]::text[])
    from (select * from replication.directives t
           where t.box_id = replication.caller() and t.seq > $1 order by t.seq limit $2) d $$;

do $$
begin
  revoke all on function replication.direct(uuid, text, jsonb) from public;
  revoke all on function replication.directives_after(bigint, bigint) from public;
  execute format('grant execute on function replication.directives_after(bigint, bigint) to %I', replication.box_group());
end $$;
