-- The fleet in views, for the operator and for readers: a role that may look at these and at nothing else.

-- Members of this group see the fleet and change nothing. Grant it to a monitoring login.
do $$
declare
  readers name := 'whotbox_readers_' || left(encode(sha256(current_database()::text::bytea), 'hex'), 8);
begin
  if not exists (select from pg_roles where rolname = readers) then
    execute format('create role %I nologin', readers);
  end if;
  execute format($f$ create function replication.reader_group() returns name language sql immutable
    set search_path = pg_catalog, pg_temp as $b$ select %L::name $b$ $f$, readers);
  execute format('grant connect on database %I to %I', current_database(), readers);
  execute format('grant usage on schema replication to %I', readers);
end $$;

-- Who sees every box's rows through the policies. Readers hold no privilege but on the views below, so this is all they see.
create or replace function replication.operator() returns boolean language sql stable
  set search_path = pg_catalog, pg_temp
  as $$ select pg_has_role(session_user, (select nspowner from pg_namespace where nspname = 'replication'), 'MEMBER')
            or pg_has_role(session_user, replication.reader_group(), 'MEMBER') $$;

-- What a box tells of itself besides: how much waits there, since when, and what is due there and not destroyed.
alter table replication.boxes
  add backlog bigint, add oldest_waiting timestamptz, add oldest_due timestamptz, add expiry_waits text;
comment on column replication.boxes.backlog is 'Changes that the box had not had confirmed at its last hello.';
comment on column replication.boxes.oldest_waiting is 'The time of the oldest of them.';
comment on column replication.boxes.oldest_due is 'The time of the oldest message that was due on the box and neither destroyed nor held.';
comment on column replication.boxes.expiry_waits is 'Why the box destroys nothing, if so.';

create function replication.contact(schema_version bigint, software_version text, clock timestamptz, backlog bigint,
  oldest_waiting timestamptz, oldest_due timestamptz, expiry_waits text,
  out box_id uuid, out epoch uuid, out central_clock timestamptz) language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  update replication.boxes b
     set last_contact_at = clock_timestamp(), reported_clock = $3, schema_version = $1, software_version = left($2, 100),
         backlog = $4, oldest_waiting = $5, oldest_due = $6, expiry_waits = left($7, 100)
   where b.box_id = replication.caller()
  returning b.box_id, b.epoch, b.last_contact_at into box_id, epoch, central_clock;
  if not found then
    raise exception 'not an enrolled box' using errcode = 'WB001';
  end if;
end $$;

-- A box gives its own login another password. Sessions that are open go on.
create function replication.rotate(verifier text) returns void language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
begin
  if replication.caller() is null then
    raise exception 'not an enrolled box' using errcode = 'WB001';
  end if;
  perform replication.set_login(session_user::name, verifier, 'infinity');
end $$;

-- The views run with their owner's rights; the policies still ask who the session is.
alter view replication.box_status set (security_invoker = false);
create or replace view replication.box_status as
  select b.box_id, b.name, b.role_name, b.enrolled_at, b.revoked_at, b.epoch, b.parent_epoch,
         greatest(b.last_contact_at, u.updated_at, k.updated_at) as last_seen_at,
         b.reported_clock - b.last_contact_at as clock_error,
         b.schema_version, b.software_version,
         u.seq as urgent_seq, k.seq as bulk_seq,
         (select count(*) from replication.dead_letters d where d.box_id = b.box_id) as dead_letters,
         b.backlog,
         case when b.revoked_at is not null then 'revoked'
              when greatest(b.last_contact_at, u.updated_at, k.updated_at) is null then 'never seen'
              when clock_timestamp() - greatest(b.last_contact_at, u.updated_at, k.updated_at) > interval '5 minutes' then 'silent'
              when b.backlog > 0 then 'catching up'
              else 'live' end as state,
         v.finished_at as last_verified_at, v.diverged as diverged_rows,
         (select count(*) from replication.directives d where d.box_id = b.box_id and not exists
           (select from replication.answers a where a.box_id = d.box_id and a.seq = d.seq)) as open_directives
    from replication.boxes b
    left join replication.cursors u on u.box_id = b.box_id and u.lane = 'urgent'
    left join replication.cursors k on k.box_id = b.box_id and k.lane = 'bulk'
    left join lateral (select r.finished_at, r.diverged from replication.verifications r
                        where r.box_id = b.box_id order by r.id desc limit 1) v on true;
comment on column replication.box_status.state is 'live, catching up, silent (nothing heard for five minutes), never seen, or revoked.';
comment on column replication.box_status.diverged_rows is 'Rows that differed at the last comparison.';
comment on column replication.box_status.open_directives is 'Directives without an answer.';

create view replication.backlog as
  select b.box_id, b.name, b.backlog, b.oldest_waiting, clock_timestamp() - b.oldest_waiting as lag, b.last_contact_at as told_at
    from replication.boxes b where b.revoked_at is null;
comment on view replication.backlog is 'What waits on each box to be sent, as the box told at its last hello.';
comment on column replication.backlog.lag is 'How old the oldest change is that central has not got; null where there is none.';

create view replication.holds as
  select c.box_id, b.name, c.id as conversation_id, c.distributor_id, c.customer_id, c.hold_reason, c.hold_placed_by, c.hold_placed_at
    from chat.conversations c join replication.boxes b on b.box_id = c.box_id where c.hold_active;
comment on view replication.holds is 'Every conversation under legal hold.';

create view replication.overdue_expiry as
  select b.box_id, b.name, count(m.id) as messages, min(m.expires_at) as oldest, b.oldest_due as oldest_on_box, b.expiry_waits as waits
    from replication.boxes b
    left join chat.messages m on m.box_id = b.box_id and m.archive_sealed is not null and m.expires_at < clock_timestamp() - interval '1 hour'
      and not exists (select from chat.conversations c where c.box_id = m.box_id and c.id = m.conversation_id and c.hold_active)
   where b.revoked_at is null group by b.box_id having count(m.id) > 0 or b.expiry_waits is not null;
comment on view replication.overdue_expiry is 'Boxes with messages that are an hour past their time, still here and not held, or whose expiry waits.';
comment on column replication.overdue_expiry.waits is 'Why the box destroys nothing, as it told at its last hello.';

create view replication.clock_error as
  select b.box_id, b.name, b.reported_clock - b.last_contact_at as error, b.last_contact_at as told_at
    from replication.boxes b where b.reported_clock is not null;
comment on view replication.clock_error is 'How far each box''s clock was ahead of central''s at its last hello.';

create view replication.versions as
  select b.software_version, b.schema_version, count(*) as boxes, max(b.last_contact_at) as last_contact_at
    from replication.boxes b where b.revoked_at is null group by 1, 2;
comment on view replication.versions is 'Which versions of the program the fleet runs.';

create view replication.directive_status as
  select d.box_id, b.name, d.seq, d.kind, d.arguments, d.issued_by, d.issued_at, coalesce(a.outcome, 'open') as outcome, a.detail, a.at as answered_at
    from replication.directives d join replication.boxes b on b.box_id = d.box_id
    left join replication.answers a on a.box_id = d.box_id and a.seq = d.seq;
comment on view replication.directive_status is 'Every directive and what became of it.';

do $$
declare
  v text;
begin
  foreach v in array array['box_status', 'backlog', 'dead_letters', 'holds', 'overdue_expiry', 'clock_error', 'versions',
                           'directive_status', 'verifications'] loop
    execute format('grant select on replication.%I to %I', v, replication.reader_group());
  end loop;
  revoke all on function replication.contact(bigint, text, timestamptz, bigint, timestamptz, timestamptz, text) from public;
  revoke all on function replication.rotate(text) from public;
  revoke all on function replication.reader_group() from public;
  execute format('grant execute on function replication.contact(bigint, text, timestamptz, bigint, timestamptz, timestamptz, text) to %I',
    replication.box_group());
  execute format('grant execute on function replication.rotate(text) to %I', replication.box_group());
  execute format('grant execute on function replication.reader_group() to %I, %I', replication.box_group(), replication.reader_group());
  execute format('grant execute on function replication.operator(), replication.caller() to %I', replication.reader_group());
end $$;
