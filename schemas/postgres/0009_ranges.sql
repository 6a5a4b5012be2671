-- Comparing many ranges at once. Under row-level security no comparison of texts reaches an index, so every question about a range walks all
-- rows that the box has in the table; one walk now answers for many ranges, and comparing a table takes time in proportion to its rows.

-- The reading functions of one table over ranges (after, upto] that are in order and apart; null is open:
--   sums_NAME(afters, uptos)            how many rows each range has, and their digest
--   lists_NAME(afters, uptos, most)     ids and digests of the first rows of all ranges together
create function replication.add_ranges(schema name, name name) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
  digest text := replication.digest_of(target::regclass);
  -- No id is empty, none is above the last character, and behind an id comes first the same with the first character.
  edges text := $q$(select array_agg(coalesce(a.id, '') || case when a.id is null then '' else chr(1) end order by a.n) as starts,
           array_agg(coalesce(u.id, repeat(chr(1114111), 9)) || chr(1) order by a.n) as ends
      from unnest($1) with ordinality a(id, n) join unnest($2) with ordinality u(id, n) using (n)) e$q$;
  ranged text := format('select t.*, e.starts, width_bucket(t.id, e.ends collate "C") + 1 as place
      from %s t, %s where t.box_id = replication.caller() and t.id >= e.starts[1] and t.id < e.ends[cardinality(e.ends)]', target, edges);
  f text;
begin
  execute format('create or replace function %1$I.%2$I(afters text[], uptos text[], out rows bigint[], out digests bytea[])
    language sql stable security definer set search_path = pg_catalog, pg_temp as $fn$
    select array_agg(coalesce(s.rows, 0) order by n), array_agg(coalesce(s.digest, sha256('''')) order by n)
      from generate_series(1, cardinality($1)) n
      left join (select t.place, count(*) as rows, sha256(string_agg(%3$s, ''''::bytea order by t.id)) as digest
                   from (%4$s offset 0) t where t.id >= t.starts[t.place] group by t.place) s on s.place = n $fn$',
    schema, 'sums_' || name, digest, ranged);
  execute format('create or replace function %1$I.%2$I(afters text[], uptos text[], most bigint, out ids text[], out digests bytea[])
    language sql stable security definer set search_path = pg_catalog, pg_temp as $fn$
    select coalesce(array_agg(r.id order by r.id), array[]::text[]), coalesce(array_agg(r.digest order by r.id), array[]::bytea[])
      from (select t.id, %3$s as digest from (%4$s offset 0) t where t.id >= t.starts[t.place] order by t.id limit $3) r $fn$',
    schema, 'lists_' || name, digest, ranged);
  foreach f in array array['sums_' || name || '(text[], text[])', 'lists_' || name || '(text[], text[], bigint)'] loop
    execute format('revoke all on function %I.%s from public', schema, f);
    execute format('grant execute on function %I.%s to %I', schema, f, replication.box_group());
  end loop;
end $$;

-- From here on a table gets them with its other functions; those that are there get them now.
create or replace function replication.add_functions(schema name, name name, append_only boolean) returns void language sql
  set search_path = pg_catalog, pg_temp as $$
  select replication.add_writing(schema, name, append_only);
  select replication.add_reading(schema, name);
  select replication.add_ranges(schema, name);
$$;
revoke all on function replication.add_ranges(name, name) from public;
select replication.add_ranges(n.nspname, substr(p.proname, 5)::name)
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
 where n.nspname in ('identity', 'customer', 'game', 'chat', 'replication') and p.proname like 'put\_%';
