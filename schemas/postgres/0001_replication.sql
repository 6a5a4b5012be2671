-- The machinery of replication: who the boxes are, how far each has come, and the helper that makes a replicated table.
-- It knows no domain table. The README beside this file has the rules.

-- Every box's role is a member of this one, which alone holds privileges: so an access list never grows with the fleet.
-- Roles belong to the whole server, hence the database's name in it.
do $$
declare
  boxes name := 'whotbox_boxes_' || left(encode(sha256(current_database()::text::bytea), 'hex'), 8);
begin
  if not exists (select from pg_roles where rolname = boxes) then
    execute format('create role %I nologin', boxes);
  end if;
  execute format($f$ create function replication.box_group() returns name language sql immutable
    set search_path = pg_catalog, pg_temp as $b$ select %L::name $b$ $f$, boxes);
  execute format('revoke temporary on database %I from public', current_database());
  execute format('grant connect on database %I to %I', current_database(), boxes);
  execute format('grant usage on schema replication to %I', boxes);
end $$;

create table replication.boxes (
  box_id           uuid primary key,
  role_name        name not null unique,
  name             text not null,
  epoch            uuid not null,
  parent_epoch     uuid,
  enrolled_at      timestamptz not null default clock_timestamp(),
  revoked_at       timestamptz,
  last_contact_at  timestamptz,
  reported_clock   timestamptz,
  schema_version   bigint,
  software_version text
);
comment on table replication.boxes is 'One row for each box that was ever enrolled; revoked_at shuts its box out at its next transaction.';
comment on column replication.boxes.epoch is 'The life of the box''s change log that central follows; a restored or cloned box has another and is fenced.';
comment on column replication.boxes.reported_clock is 'The box''s wall clock at last_contact_at, as it told it.';

create table replication.cursors (
  box_id     uuid not null,
  lane       text not null check (lane in ('urgent', 'bulk')),
  epoch      uuid not null,
  seq        bigint not null check (seq >= 0),
  chain      bytea not null check (octet_length(chain) = 32),
  open_xid   xid8,
  updated_at timestamptz not null default clock_timestamp(),
  primary key (box_id, lane)
);
comment on table replication.cursors is 'How far each lane of each box has come. It moves in the transaction that writes the rows, and is the only truth about it.';
comment on column replication.cursors.open_xid is 'The transaction that has opened a batch here; only that one may write rows.';

create table replication.invitations (
  role_name   name primary key,
  name        text not null,
  issued_at   timestamptz not null default clock_timestamp(),
  expires_at  timestamptz not null,
  redeemed_at timestamptz,
  box_id      uuid
);
comment on table replication.invitations is 'Logins issued for boxes that have not said yet who they are; each becomes the login of one box.';

-- Who is asking. The session's user is set by the login and by nothing else: no SET, no argument, no definer's rights change it.
create function replication.caller() returns uuid language sql stable security definer
  set search_path = pg_catalog, pg_temp
  as $$ select box_id from replication.boxes where role_name = session_user and revoked_at is null $$;

-- Members of the role that owns this schema run central; they read every box's rows.
create function replication.operator() returns boolean language sql stable
  set search_path = pg_catalog, pg_temp
  as $$ select pg_has_role(session_user, (select nspowner from pg_namespace where nspname = 'replication'), 'MEMBER') $$;

alter table replication.boxes enable row level security, force row level security;
create policy own on replication.boxes using (role_name = session_user) with check (role_name = session_user);
create policy operator on replication.boxes using ((select replication.operator())) with check ((select replication.operator()));
alter table replication.invitations enable row level security, force row level security;
create policy own on replication.invitations using (role_name = session_user) with check (role_name = session_user);
create policy operator on replication.invitations
  using ((select replication.operator())) with check ((select replication.operator()));
alter table replication.cursors enable row level security, force row level security;
create policy own on replication.cursors
  using (box_id = (select replication.caller())) with check (box_id = (select replication.caller()));
create policy operator on replication.cursors using ((select replication.operator())) with check ((select replication.operator()));

-- What a box and central say to each other about versions, before anything else.
-- `oldest` is the lowest schema version whose boxes central still takes; a migration that breaks older boxes raises it.
create function replication.schema(out current bigint, out oldest bigint) language sql stable security definer
  set search_path = pg_catalog, pg_temp
  as $$ select coalesce(max(version), 0)::bigint, 1::bigint from replication.migrations $$;

create function replication.contact(schema_version bigint, software_version text, clock timestamptz,
  out box_id uuid, out epoch uuid, out central_clock timestamptz) language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  update replication.boxes b
     set last_contact_at = clock_timestamp(), reported_clock = $3, schema_version = $1, software_version = left($2, 100)
   where b.box_id = replication.caller()
  returning b.box_id, b.epoch, b.last_contact_at into box_id, epoch, central_clock;
  if not found then
    raise exception 'not an enrolled box' using errcode = 'WB001';
  end if;
end $$;

-- Where a lane stands. It waits for a transaction that is still moving the cursor, so that its answer is final: a box asks this
-- when it does not know whether a COMMIT arrived.
create function replication.cursor(lane text, out epoch uuid, out seq bigint, out chain bytea) language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  select c.epoch, c.seq, c.chain into epoch, seq, chain
    from replication.cursors c where c.box_id = replication.caller() and c.lane = $1 for update;
  if not found then
    raise exception 'not an enrolled box' using errcode = 'WB001';
  end if;
end $$;

-- Opens a batch: takes the lane's row for this transaction and refuses unless the batch starts exactly where the lane stands.
create function replication.begin_batch(lane text, epoch uuid, prev_seq bigint, prev_chain bytea) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  here replication.cursors;
begin
  update replication.cursors c set open_xid = pg_current_xact_id()
   where c.box_id = replication.caller() and c.lane = $1 returning * into here;
  if not found then
    raise exception 'not an enrolled box' using errcode = 'WB001';
  end if;
  if (here.epoch, here.seq, here.chain) is distinct from ($2, $3, $4) then
    raise exception 'the lane stands elsewhere' using errcode = 'WB002';
  end if;
end $$;

-- Opens a slice: rows that mend or fill, without a step of the cursor. It shares the bulk lane's lock, so the two never interleave.
create function replication.begin_slice(epoch uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  here replication.cursors;
begin
  update replication.cursors c set open_xid = pg_current_xact_id()
   where c.box_id = replication.caller() and c.lane = 'bulk' returning * into here;
  if not found then
    raise exception 'not an enrolled box' using errcode = 'WB001';
  end if;
  if here.epoch is distinct from $1 then
    raise exception 'the lane stands elsewhere' using errcode = 'WB002';
  end if;
end $$;

-- Moves the cursor and closes the batch; the rest of the transaction can write no row.
create function replication.finish_batch(lane text, seq bigint, chain bytea) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update replication.cursors c set seq = $2, chain = $3, open_xid = null, updated_at = clock_timestamp()
   where c.box_id = replication.caller() and c.lane = $1 and c.open_xid = pg_current_xact_id_if_assigned() and c.seq < $2;
  if not found then
    raise exception 'no open batch that ends there' using errcode = 'WB003';
  end if;
end $$;

-- The box whose batch or slice this transaction has opened; every writing function starts with it.
create function replication.writing() returns uuid
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  box uuid;
begin
  select c.box_id into box from replication.cursors c
   where c.box_id = replication.caller() and c.open_xid = pg_current_xact_id_if_assigned() limit 1;
  if not found then
    raise exception 'no batch is open in this transaction' using errcode = 'WB003';
  end if;
  return box;
end $$;

create function replication.refuse_rewrite() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '%.% is append-only', tg_table_schema, tg_table_name using errcode = 'WB004';
end $$;

-- Makes `schema.name` with `box_id`, `id` and the given columns, closes it to everyone, and writes its functions:
--   put_NAME(ids, column, …)       upserts rows given as one array per column; an equal row is not written again
--   drop_NAME(ids)                 deletes rows
--   keep_NAME(after, upto, ids)    deletes the rows of the id range (after, upto] that are not in ids; null is open
-- An append-only table has the first alone, and it refuses to change a row.
create function replication.add_table(schema name, name name, columns text, extra text default '', append_only boolean default false)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target  text := format('%I.%I', schema, name);
begin
  execute format('create table %s (box_id uuid not null, id text collate "C" not null, %s, primary key (box_id, id) %s)',
    target, columns, extra);
  execute format('alter table %s enable row level security, force row level security', target);
  execute format('create policy own on %s using (box_id = (select replication.caller()))
    with check (box_id = (select replication.caller()))', target);
  execute format('create policy operator on %s for select using ((select replication.operator()))', target);
  if append_only then
    execute format('create trigger append_only before update or delete on %s
      for each row execute function replication.refuse_rewrite()', target);
    execute format('create trigger append_only_all before truncate on %s
      for each statement execute function replication.refuse_rewrite()', target);
  end if;
  perform replication.add_functions(schema, name, append_only);
end $$;

-- The functions of one table, from the catalogue as it stands; a migration that adds a column drops the old ones and calls this again.
create function replication.add_functions(schema name, name name, append_only boolean)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
  params text;    -- username text[], …
  cols   text;    -- username, …
  mine   text;    -- t.username, …
  theirs text;    -- r.username, …
  sets   text;    -- username = excluded.username, …
  fresh  text;    -- excluded.username, …
  args   text;    -- $2, …
  body   text;
begin
  select string_agg(format('%I %s[]', attname, format_type(atttypid, null)), ', ' order by attnum),
         string_agg(format('%I', attname), ', ' order by attnum),
         string_agg(format('t.%I', attname), ', ' order by attnum),
         string_agg(format('r.%I', attname), ', ' order by attnum),
         string_agg(format('%1$I = excluded.%1$I', attname), ', ' order by attnum),
         string_agg(format('excluded.%I', attname), ', ' order by attnum),
         string_agg('$' || n, ', ' order by attnum)
    into strict params, cols, mine, theirs, sets, fresh, args
    from (select *, row_number() over (order by attnum) + 1 as n from pg_attribute
           where attrelid = target::regclass and attnum > 0 and not attisdropped and attname not in ('box_id', 'id')) a;

  if append_only then
    body := format('
    insert into %1$s as t (box_id, id, %2$s)
      select box, r.id, %3$s from unnest($1, %4$s) as r(id, %2$s) on conflict (box_id, id) do nothing;
    if exists (select from unnest($1, %4$s) as r(id, %2$s) join %1$s t on t.box_id = box and t.id = r.id
                where (%5$s) is distinct from (%3$s)) then
      raise exception ''%1$s is append-only'' using errcode = ''WB004'';
    end if;', target, cols, theirs, args, mine);
  else
    body := format('
    insert into %1$s as t (box_id, id, %2$s)
      select box, r.id, %3$s from unnest($1, %4$s) as r(id, %2$s)
      on conflict (box_id, id) do update set %5$s where (%6$s) is distinct from (%7$s);',
      target, cols, theirs, args, sets, mine, fresh);
    perform replication.add_function(schema, 'drop_' || name, 'ids text[]',
      format('delete from %s t where t.box_id = box and t.id = any($1);', target));
    perform replication.add_function(schema, 'keep_' || name, 'after text, upto text, ids text[]',
      format('delete from %s t where t.box_id = box and ($1 is null or t.id > $1) and ($2 is null or t.id <= $2)
        and not exists (select from unnest($3) as k(id) where k.id collate "C" = t.id);', target));
  end if;
  perform replication.add_function(schema, 'put_' || name, 'ids text[], ' || params, body);
end $$;

-- One writing function: definer's rights, pinned path, closed to the public, open to the boxes, refusing without an open batch.
create function replication.add_function(schema name, name name, params text, body text)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('create function %I.%I(%s) returns void language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $fn$
  #variable_conflict use_column
  declare
    box uuid := replication.writing();
  begin
    %s
  end $fn$', schema, name, params, body);
  execute format('revoke all on function %I.%I from public', schema, name);
  execute format('grant execute on function %I.%I to %I', schema, name, replication.box_group());
end $$;

-- Sets a box's login: what it proves itself with and until when, how many connections, and that it is a box.
-- `verifier` is a SCRAM-SHA-256 verifier, so that no password stands in a statement.
create function replication.set_login(role name, verifier text, until text) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if verifier not like 'SCRAM-SHA-256$%' then
    raise exception 'the password must come as a SCRAM-SHA-256 verifier';
  end if;
  if not exists (select from pg_roles where rolname = role) then
    execute format('create role %I', role);
  end if;
  -- Two lanes, one verification, and as many that a cut network left half-open.
  execute format('alter role %I login connection limit 8 password %L valid until %L', role, verifier, until);
  execute format('alter role %I set idle_in_transaction_session_timeout = %L', role, '30s');
  execute format('grant %I to %I', replication.box_group(), role);
end $$;

-- Enrols a box, or enrols it again: then its password changes, and with another epoch its lanes start where it says.
-- Returns the box's login role.
create function replication.enroll(box uuid, box_name text, box_epoch uuid, verifier text,
  urgent_seq bigint, urgent_chain bytea, bulk_seq bigint, bulk_chain bytea) returns name
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  suffix text := left(encode(sha256(current_database()::text::bytea), 'hex'), 8);
  role   name := 'whotbox_' || replace(box::text, '-', '') || '_' || suffix;
begin
  insert into replication.boxes as b (box_id, role_name, name, epoch) values (box, role, box_name, box_epoch)
    on conflict (box_id) do update set name = excluded.name, enrolled_at = clock_timestamp(), revoked_at = null,
      parent_epoch = case when b.epoch = excluded.epoch then b.parent_epoch else b.epoch end, epoch = excluded.epoch
    returning b.role_name into role;
  insert into replication.cursors as c (box_id, lane, epoch, seq, chain)
    values (box, 'urgent', box_epoch, urgent_seq, urgent_chain), (box, 'bulk', box_epoch, bulk_seq, bulk_chain)
    on conflict (box_id, lane) do update
      set epoch = excluded.epoch, seq = excluded.seq, chain = excluded.chain, updated_at = clock_timestamp()
      where c.epoch <> excluded.epoch;
  perform replication.set_login(role, verifier, 'infinity');
  return role;
end $$;

-- Issues a login for a box that will say later who it is. Its password works until then, and once. `token` makes the role's name.
create function replication.invite(box_name text, token uuid, verifier text, valid interval) returns name
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  role name := 'whotbox_' || replace(token::text, '-', '');
begin
  insert into replication.invitations (role_name, name, expires_at) values (role, box_name, clock_timestamp() + valid);
  perform replication.set_login(role, verifier, (clock_timestamp() + valid)::text);
  return role;
end $$;

-- The invited login becomes that of the box which calls, under a password that central's operator has never seen. It cannot take the place
-- of a box that is already known: that needs the operator.
create function replication.redeem(box uuid, box_epoch uuid, verifier text,
  urgent_seq bigint, urgent_chain bytea, bulk_seq bigint, bulk_chain bytea) returns name
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  called text;
begin
  update replication.invitations i set redeemed_at = clock_timestamp(), box_id = box
   where i.role_name = session_user and i.redeemed_at is null and i.expires_at > clock_timestamp()
  returning i.name into called;
  if not found then
    raise exception 'no open invitation' using errcode = 'WB001';
  end if;
  begin
    insert into replication.boxes (box_id, role_name, name, epoch) values (box, session_user, called, box_epoch);
  exception when unique_violation then
    raise exception 'this box is known already; the operator enrols it again' using errcode = 'WB001';
  end;
  insert into replication.cursors (box_id, lane, epoch, seq, chain)
    values (box, 'urgent', box_epoch, urgent_seq, urgent_chain), (box, 'bulk', box_epoch, bulk_seq, bulk_chain);
  perform replication.set_login(session_user::name, verifier, 'infinity');
  return session_user::name;
end $$;

-- Shuts a box out: no login, and no transaction of a session that is still open.
create function replication.revoke(box uuid) returns boolean
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  role name;
begin
  update replication.boxes b set revoked_at = coalesce(b.revoked_at, clock_timestamp()) where b.box_id = box returning b.role_name into role;
  if not found then
    return false;
  end if;
  execute format('alter role %I nologin', role);
  return true;
end $$;

-- Functions are born open to the public; here none is. Boxes get the few that open, close and ask.
do $$
declare
  f regprocedure;
begin
  for f in select oid from pg_proc where pronamespace = 'replication'::regnamespace loop
    execute format('revoke all on function %s from public', f);
    if f::text ~ '^replication\.(schema|redeem|contact|cursor|begin_batch|begin_slice|finish_batch)\(' then
      execute format('grant execute on function %s to %I', f, replication.box_group());
    end if;
  end loop;
end $$;
