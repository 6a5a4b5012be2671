-- Comparing a box's copy with central's: digests of ranges and of rows, the same on both sides, and what comparing found.
-- The README beside this file has the form; the box writes the same digests.

-- How far the lanes have come, read with whatever is read in the same statement; it waits for nobody.
create function replication.positions(out epoch uuid, out urgent bigint, out bulk bigint) language sql stable security definer
  set search_path = pg_catalog, pg_temp
  as $$
    select b.epoch, u.seq, k.seq from replication.boxes b
      join replication.cursors u on u.box_id = b.box_id and u.lane = 'urgent'
      join replication.cursors k on k.box_id = b.box_id and k.lane = 'bulk'
     where b.box_id = replication.caller() $$;

-- The expression that gives a row's digest, from the catalogue: sha256 over the id, then name, 0, length and bytes of every
-- column that has a value, by name.
create function replication.digest_of(target regclass) returns text language sql stable
  set search_path = pg_catalog, pg_temp as $$
  select 'sha256(int4send(octet_length(convert_to(t.id, ''UTF8''))) || convert_to(t.id, ''UTF8'')' || string_agg(
           format(' || coalesce(%L::bytea || int4send(octet_length(%2$s)) || %2$s, ''''::bytea)',
             '\x' || encode(convert_to(a.attname, 'UTF8'), 'hex') || '00', a.value),
           '' order by a.attname collate "C") || ')'
    from (select attname::text,
            case format_type(atttypid, null)
              when 'text' then format('convert_to(t.%I, ''UTF8'')', attname)
              when 'bigint' then format('int8send(t.%I)', attname)
              when 'boolean' then format('boolsend(t.%I)', attname)
              when 'bytea' then format('t.%I', attname)
              when 'timestamp with time zone' then format('timestamptz_send(t.%I)', attname)
              when 'jsonb' then format('convert_to(t.%I::text, ''UTF8'')', attname)
            end as value
            from pg_attribute
           where attrelid = target and attnum > 0 and not attisdropped and attname not in ('box_id', 'id')) a $$;

-- The reading functions of one table, for the box's own rows:
--   sum_NAME(after, upto)               how many rows the id range (after, upto] has, and their digest; null is open
--   list_NAME(after, upto, among, most)  ids and digests of the first rows of the range, of these ids alone if any are given
create function replication.add_reading(schema name, name name) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
  digest text := replication.digest_of(target::regclass);
  -- No `is null or`: the range must be one that the primary key's index knows. No id is empty, and none is above the last character.
  ranged text := 't.box_id = replication.caller() and t.id > coalesce($1, '''') and t.id <= coalesce($2, repeat(chr(1114111), 9))';
  f text;
begin
  execute format('create or replace function %1$I.%2$I(after text, upto text, out rows bigint, out digest bytea)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $fn$
    select count(*), sha256(coalesce(string_agg(%3$s, ''''::bytea order by t.id), ''''::bytea)) from %4$s t where %5$s $fn$',
    schema, 'sum_' || name, digest, target, ranged);
  execute format('create or replace function %1$I.%2$I(after text, upto text, among text[], most bigint, out ids text[], out digests bytea[])
    language sql stable security definer set search_path = pg_catalog, pg_temp as $fn$
    select coalesce(array_agg(r.id order by r.id), array[]::text[]), coalesce(array_agg(r.digest order by r.id), array[]::bytea[])
      from (select t.id, %3$s as digest from %4$s t where %5$s and ($3 is null or t.id = any($3)) order by t.id limit $4) r $fn$',
    schema, 'list_' || name, digest, target, ranged);
  foreach f in array array['sum_' || name || '(text, text)', 'list_' || name || '(text, text, text[], bigint)'] loop
    execute format('revoke all on function %I.%s from public', schema, f);
    execute format('grant execute on function %I.%s to %I', schema, f, replication.box_group());
  end loop;
end $$;

-- From here on a table gets its reading functions with its writing ones; those that are there get them now.
alter function replication.add_functions(name, name, boolean) rename to add_writing;
create function replication.add_functions(schema name, name name, append_only boolean) returns void language sql
  set search_path = pg_catalog, pg_temp as $$
  select replication.add_writing(schema, name, append_only);
  select replication.add_reading(schema, name);
$$;
select replication.add_reading(n.nspname, substr(p.proname, 5)::name)
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where n.nspname in ('identity', 'customer', 'game', 'chat', 'replication') and p.proname like 'put\_%';

-- What comparing found: one row for each run, written by the box like any other row.
select replication.add_table('replication', 'verifications', $$
  kind                  text not null,
  started_at            timestamptz not null,
  finished_at           timestamptz not null,
  tables                bigint not null,
  rows                  bigint not null,
  diverged              bigint not null,
  unsettled             bigint not null,
  dead_letters          bigint not null,
  differences           jsonb not null
$$);
comment on table replication.verifications is 'Each comparison of a box''s copy with central''s, and what it found.';
comment on column replication.verifications.kind is 'verify, or repair: a comparison after mending.';
comment on column replication.verifications.unsettled is 'Rows that changed faster than they could be compared.';
comment on column replication.verifications.differences is 'The first rows that differed: table, id, and how.';

do $$
declare
  f regprocedure;
begin
  for f in select oid from pg_proc where pronamespace = 'replication'::regnamespace
      and proname in ('positions', 'digest_of', 'add_reading', 'add_functions', 'add_writing') loop
    execute format('revoke all on function %s from public', f);
  end loop;
  execute format('grant execute on function replication.positions() to %I', replication.box_group());
end $$;
