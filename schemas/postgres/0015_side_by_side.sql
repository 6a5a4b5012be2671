-- Rows come as one array for each column. Read side by side in the select list they pass through one by one; in the from clause each array was
-- first written into a store of its own, a quarter of central's time for a batch.

-- The writing functions of tables that are whole, as before but for how they read their arguments.
create or replace function replication.add_whole_writing(schema name, name name, append_only boolean)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
  params text;    -- username text[], …
  cols   text;    -- username, …
  mine   text;    -- t.username, …
  theirs text;    -- r.username, …
  sets   text;    -- username = excluded.username, …
  fresh  text;    -- excluded.username, …
  rows   text;    -- unnest($2) as username, …
  body   text;
begin
  select string_agg(format('%I %s[]%s', attname, format_type(atttypid, null), case when attnum > required then ' default null' else '' end),
                    ', ' order by attnum),
         string_agg(format('%I', attname), ', ' order by attnum),
         string_agg(format('t.%I', attname), ', ' order by attnum),
         string_agg(format('r.%I', attname), ', ' order by attnum),
         string_agg(format('%1$I = excluded.%1$I', attname), ', ' order by attnum),
         string_agg(format('excluded.%I', attname), ', ' order by attnum),
         string_agg(format('unnest($%s) as %I', n, attname), ', ' order by attnum)
    into strict params, cols, mine, theirs, sets, fresh, rows
    from (select *, row_number() over (order by attnum) + 1 as n, max(attnum) filter (where attnotnull) over () as required from pg_attribute
           where attrelid = target::regclass and attnum > 0 and not attisdropped and attname not in ('box_id', 'id')) a;

  if append_only then
    body := format('
    insert into %1$s as t (box_id, id, %2$s)
      select box, r.id, %3$s from (select unnest($1) as id, %4$s) r on conflict (box_id, id) do nothing;
    if exists (select from (select unnest($1) as id, %4$s) r join %1$s t on t.box_id = box and t.id = r.id
                where (%5$s) is distinct from (%3$s)) then
      raise exception ''%1$s is append-only'' using errcode = ''WB004'';
    end if;', target, cols, theirs, rows, mine);
  else
    -- Two rows of one call that have the same id are refused either way.
    body := format('
    declare
      last text collate "C";
    begin
      select t.id into last from %1$s t where t.box_id = box order by t.id desc limit 1;
      if last is null or exists (select from unnest($1) as k(id) where k.id collate "C" > last) then
        insert into %1$s (box_id, id, %2$s)
          select box, r.id, %3$s from (select unnest($1) as id, %4$s) r where last is null or r.id collate "C" > last;
      end if;
      if exists (select from unnest($1) as k(id) where k.id collate "C" <= last) then
        insert into %1$s as t (box_id, id, %2$s)
          select box, r.id, %3$s from (select unnest($1) as id, %4$s) r where r.id collate "C" <= last
          on conflict (box_id, id) do update set %5$s where (%6$s) is distinct from (%7$s);
      end if;
    end;', target, cols, theirs, rows, sets, mine, fresh);
    perform replication.add_function(schema, 'drop_' || name, 'ids text[]',
      format('delete from %s t where t.box_id = box and t.id = any($1);', target));
    perform replication.add_function(schema, 'keep_' || name, 'after text, upto text, ids text[]',
      format('delete from %s t where t.box_id = box and ($1 is null or t.id > $1) and ($2 is null or t.id <= $2)
        and not exists (select from unnest($3) as k(id) where k.id collate "C" = t.id);', target));
  end if;
  perform replication.add_function(schema, 'put_' || name, 'ids text[], ' || params, body);
end $$;

-- Who is asking, as before; a plan that is kept is made once for a connection and not for every question.
create or replace function replication.caller() returns uuid language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp as $$
begin
  return (select box_id from replication.boxes where role_name = session_user and revoked_at is null);
end $$;

do $$
declare
  t record;
  verb text;
begin
  for t in select * from replication.tables loop
    foreach verb in array case when t.append_only then array['put_'] else array['put_', 'drop_', 'keep_'] end loop
      execute format('drop function %I.%I', t.schema, verb || t.name);
    end loop;
    perform replication.add_writing(t.schema, t.name, t.append_only);
  end loop;
end $$;
