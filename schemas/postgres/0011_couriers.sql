-- Bundles that a courier brought from boxes without a line: what arrived, who signed it, and which of its rows were refused. The rows and the
-- cursors go the usual way, by the box's own login; nothing here moves them.

create table replication.courier_bundles (
  box_id      uuid not null,
  epoch       uuid not null,
  number      bigint not null check (number > 0),
  signer      bytea not null,
  made_at     timestamptz not null,
  urgent_seq  bigint not null,
  bulk_seq    bigint not null,
  arrived_at  timestamptz not null default clock_timestamp(),
  brought     bigint not null default 1,
  primary key (box_id, epoch, number)
);
comment on table replication.courier_bundles is 'Bundles of changes that couriers brought, by box and number.';
comment on column replication.courier_bundles.signer is 'The public key (Ed25519) that signed it; within one life of a box it never changes.';
comment on column replication.courier_bundles.urgent_seq is 'The last entry of the urgent lane that is in it.';
comment on column replication.courier_bundles.bulk_seq is 'The last entry of the bulk lane that is in it.';
comment on column replication.courier_bundles.brought is 'How often it was brought; each time but the first changes nothing.';

create table replication.courier_refusals (
  box_id      uuid not null,
  epoch       uuid not null,
  number      bigint not null,
  table_name  text not null,
  row_id      text collate "C" not null,
  reason      text not null,
  refused_at  timestamptz not null default clock_timestamp(),
  primary key (box_id, epoch, number, table_name, row_id)
);
comment on table replication.courier_refusals is 'Rows of bundles that were refused. The box lists them as dead letters once an acknowledgement has come back.';

do $$
declare
  t text;
begin
  foreach t in array array['courier_bundles', 'courier_refusals'] loop
    execute format('alter table replication.%I enable row level security, force row level security', t);
    execute format('create policy own on replication.%I using (box_id = (select replication.caller()))
      with check (box_id = (select replication.caller()))', t);
    execute format('create policy operator on replication.%I for select using ((select replication.operator()))', t);
  end loop;
end $$;

-- The calling box's bundle has arrived. Returns the highest number of this life that had arrived before, 0 where there is none.
create function replication.note_bundle(number bigint, bundle_epoch uuid, signer bytea, made_at timestamptz, urgent_seq bigint, bulk_seq bigint)
  returns bigint language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  box    uuid := replication.caller();
  before bigint;
begin
  perform from replication.boxes b where b.box_id = box and b.epoch = $2 for update;
  if not found then
    raise exception 'central follows another life of this box' using errcode = 'WB002';
  end if;
  if exists (select from replication.courier_bundles c where c.box_id = box and c.epoch = $2 and c.signer <> $3) then
    raise exception 'earlier bundles of this life were signed by another key' using errcode = 'WB005';
  end if;
  select coalesce(max(c.number), 0) into before from replication.courier_bundles c where c.box_id = box and c.epoch = $2;
  insert into replication.courier_bundles as c (box_id, epoch, number, signer, made_at, urgent_seq, bulk_seq)
    values (box, $2, $1, $3, $4, $5, $6)
    on conflict (box_id, epoch, number) do update set brought = c.brought + 1;
  return before;
end $$;

-- Rows of the calling box's bundle that are refused: noted before the rest is applied, so that none is lost from sight.
create function replication.note_refusals(number bigint, bundle_epoch uuid, tables text[], ids text[], reasons text[])
  returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  box uuid := replication.caller();
begin
  if box is null then
    raise exception 'not an enrolled box' using errcode = 'WB001';
  end if;
  insert into replication.courier_refusals as c (box_id, epoch, number, table_name, row_id, reason)
    select box, $2, $1, r.table_name, left(r.row_id, 600), left(r.reason, 400)
      from unnest($3, $4, $5) as r(table_name, row_id, reason) limit 10000
    on conflict (box_id, epoch, number, table_name, row_id) do nothing;
end $$;

-- What was refused of the calling box's bundles above a number.
create function replication.refusals_after(after bigint, bundle_epoch uuid, out tables text[], out ids text[], out reasons text[])
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(c.table_name order by c.number, c.table_name, c.row_id), array[]::text[]),
         coalesce(array_agg(c.row_id order by c.number, c.table_name, c.row_id), array[]::text[]),
         coalesce(array_agg(c.reason order by c.number, c.table_name, c.row_id), array[]::text[])
    from (select * from replication.courier_refusals t
           where t.box_id = replication.caller() and t.epoch = $2 and t.number > $1
           order by t.number, t.table_name, t.row_id limit 10000) c $$;

create view replication.couriers as
  select b.box_id, b.name, c.number, c.made_at, c.arrived_at, c.brought, c.urgent_seq, c.bulk_seq,
         (select count(*) from replication.courier_refusals r
           where r.box_id = c.box_id and r.epoch = c.epoch and r.number = c.number) as refused
    from replication.boxes b join replication.courier_bundles c on c.box_id = b.box_id and c.epoch = b.epoch;
comment on view replication.couriers is 'Bundles that couriers brought, of the life of each box that central follows.';
comment on column replication.couriers.refused is 'Rows of it that were refused.';

do $$
begin
  revoke all on function replication.note_bundle(bigint, uuid, bytea, timestamptz, bigint, bigint) from public;
  revoke all on function replication.note_refusals(bigint, uuid, text[], text[], text[]) from public;
  revoke all on function replication.refusals_after(bigint, uuid) from public;
  execute format('grant execute on function replication.note_bundle(bigint, uuid, bytea, timestamptz, bigint, bigint) to %I', replication.box_group());
  execute format('grant execute on function replication.note_refusals(bigint, uuid, text[], text[], text[]) to %I', replication.box_group());
  execute format('grant execute on function replication.refusals_after(bigint, uuid) to %I', replication.box_group());
  execute format('grant select on replication.couriers to %I', replication.reader_group());
end $$;
