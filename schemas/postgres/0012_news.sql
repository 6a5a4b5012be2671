-- Rows that are new go in by plain inserts. A box that catches up sends mostly rows that central has never seen, and looking each up first and
-- inserting it on approval costs a third of central's time; ids are ordered by time, so what lies above a box's last id is new.

-- The writing functions as before, but for two ways into a table: above the box's last id there, and not.
create or replace function replication.add_writing(schema name, name name, append_only boolean)
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
  select string_agg(format('%I %s[]%s', attname, format_type(atttypid, null), case when attnum > required then ' default null' else '' end),
                    ', ' order by attnum),
         string_agg(format('%I', attname), ', ' order by attnum),
         string_agg(format('t.%I', attname), ', ' order by attnum),
         string_agg(format('r.%I', attname), ', ' order by attnum),
         string_agg(format('%1$I = excluded.%1$I', attname), ', ' order by attnum),
         string_agg(format('excluded.%I', attname), ', ' order by attnum),
         string_agg('$' || n, ', ' order by attnum)
    into strict params, cols, mine, theirs, sets, fresh, args
    from (select *, row_number() over (order by attnum) + 1 as n, max(attnum) filter (where attnotnull) over () as required from pg_attribute
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
    -- Two rows of one call that have the same id are refused either way.
    body := format('
    declare
      last text collate "C";
    begin
      select t.id into last from %1$s t where t.box_id = box order by t.id desc limit 1;
      if last is null or exists (select from unnest($1) as k(id) where k.id collate "C" > last) then
        insert into %1$s (box_id, id, %2$s)
          select box, r.id, %3$s from unnest($1, %4$s) as r(id, %2$s) where last is null or r.id collate "C" > last;
      end if;
      if exists (select from unnest($1) as k(id) where k.id collate "C" <= last) then
        insert into %1$s as t (box_id, id, %2$s)
          select box, r.id, %3$s from unnest($1, %4$s) as r(id, %2$s) where r.id collate "C" <= last
          on conflict (box_id, id) do update set %5$s where (%6$s) is distinct from (%7$s);
      end if;
    end;', target, cols, theirs, args, sets, mine, fresh);
    perform replication.add_function(schema, 'drop_' || name, 'ids text[]',
      format('delete from %s t where t.box_id = box and t.id = any($1);', target));
    perform replication.add_function(schema, 'keep_' || name, 'after text, upto text, ids text[]',
      format('delete from %s t where t.box_id = box and ($1 is null or t.id > $1) and ($2 is null or t.id <= $2)
        and not exists (select from unnest($3) as k(id) where k.id collate "C" = t.id);', target));
  end if;
  perform replication.add_function(schema, 'put_' || name, 'ids text[], ' || params, body);
end $$;

do $$
declare
  t record;
  verb text;
begin
  -- An append-only table has no keep_NAME, and nothing of it changes.
  for t in select n.nspname as schema, substr(p.proname, 6)::name as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname in ('identity', 'customer', 'game', 'chat', 'replication') and p.proname like 'keep\_%' loop
    foreach verb in array array['put_', 'drop_', 'keep_'] loop
      execute format('drop function %I.%I', t.schema, verb || t.name);
    end loop;
    perform replication.add_writing(t.schema, t.name, append_only => false);
  end loop;
end $$;
