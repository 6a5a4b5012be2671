-- JSON comes as text and becomes jsonb row by row. As arrays of jsonb it was parsed while a statement's arguments were read, and what parsing leaves
-- in memory stayed until the whole statement was done: several times the batch itself, a quarter of central's time.

-- One writing function, as before, of which there may now be two by one name that take other types.
create or replace function replication.add_function(schema name, name name, params text, body text)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  f regprocedure;
begin
  execute format('create function %I.%I(%s) returns void language plpgsql security definer
  set search_path = pg_catalog, pg_temp as $fn$
  #variable_conflict use_column
  declare
    box uuid := replication.writing();
  begin
    %s
  end $fn$', schema, name, params, body);
  for f in select p.oid from pg_proc p where p.pronamespace = schema::text::regnamespace and p.proname = name loop
    execute format('revoke all on function %s from public', f);
    execute format('grant execute on function %s to %I', f, replication.box_group());
  end loop;
end $$;

-- Takes a table's writing functions away, to be written anew.
create function replication.drop_writing(schema name, name name) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  f regprocedure;
begin
  for f in select p.oid from pg_proc p where p.pronamespace = schema::text::regnamespace
      and p.proname in ('put_' || name, 'drop_' || name, 'keep_' || name) loop
    execute format('drop function %s', f);
  end loop;
end $$;
revoke all on function replication.drop_writing from public;

-- The columns of a replicated table as a writing function takes and reads them.
create function replication.written(target regclass,
    out params text,   -- username text[], …
    out cols text,     -- username, …
    out mine text,     -- t.username, …
    out theirs text,   -- r.username, …
    out sets text,     -- username = excluded.username, …
    out given text,    -- username = r.username, …
    out fresh text,    -- excluded.username, …
    out args text,     -- $2, …
    out rows text,     -- unnest($2) as username, unnest($3)::jsonb as options, …
    out typed text,    -- u.username, u.options::jsonb, …
    out before text,   -- username text[], options jsonb[], …; null without JSON
    out passed text)   -- $2, $3::text[], …
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select string_agg(format('%I %s[]%s', attname, taken, optional), ', ' order by attnum),
         string_agg(format('%I', attname), ', ' order by attnum),
         string_agg(format('t.%I', attname), ', ' order by attnum),
         string_agg(format('r.%I', attname), ', ' order by attnum),
         string_agg(format('%1$I = excluded.%1$I', attname), ', ' order by attnum),
         string_agg(format('%1$I = r.%1$I', attname), ', ' order by attnum),
         string_agg(format('excluded.%I', attname), ', ' order by attnum),
         string_agg('$' || n, ', ' order by attnum),
         string_agg(format('unnest($%s)%s as %I', n, become, attname), ', ' order by attnum),
         string_agg(format('u.%I%s', attname, become), ', ' order by attnum),
         case when bool_or(become <> '') then string_agg(format('%I %s[]%s', attname, held, optional), ', ' order by attnum) end,
         string_agg('$' || n || case when become <> '' then '::text[]' else '' end, ', ' order by attnum)
    from (select attname, attnum, held, case when held = 'jsonb' then 'text' else held end as taken,
                 case when held = 'jsonb' then '::jsonb' else '' end as become,
                 row_number() over (order by attnum) + 1 as n,
                 case when attnum > max(attnum) filter (where attnotnull) over () then ' default null' else '' end as optional
            from pg_attribute, lateral format_type(atttypid, null) as held
           where attrelid = target and attnum > 0 and not attisdropped and attname not in ('box_id', 'id')) a $$;
revoke all on function replication.written from public;

-- The writing functions of tables that are whole, as before but for JSON.
create or replace function replication.add_whole_writing(schema name, name name, append_only boolean)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
  w      record;
  body   text;
begin
  select * into w from replication.written(target::regclass);
  if append_only then
    body := format('
    insert into %1$s as t (box_id, id, %2$s)
      select box, r.id, %3$s from (select unnest($1) as id, %4$s) r on conflict (box_id, id) do nothing;
    if exists (select from (select unnest($1) as id, %4$s) r join %1$s t on t.box_id = box and t.id = r.id
                where (%5$s) is distinct from (%3$s)) then
      raise exception ''%1$s is append-only'' using errcode = ''WB004'';
    end if;', target, w.cols, w.theirs, w.rows, w.mine);
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
    end;', target, w.cols, w.theirs, w.rows, w.sets, w.mine, w.fresh);
  end if;
  perform replication.add_function(schema, 'put_' || name, 'ids text[], ' || w.params, body);
end $$;

-- The writing functions of a table, however it lies.
create or replace function replication.add_writing(schema name, name name, append_only boolean)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
  w      record;
  body   text := '';
begin
  select * into w from replication.written(target::regclass);
  if not append_only then
    perform replication.add_function(schema, 'drop_' || name, 'ids text[]',
      format('delete from %s t where t.box_id = box and t.id = any($1);', target));
    perform replication.add_function(schema, 'keep_' || name, 'after text, upto text, ids text[]',
      format('delete from %s t where t.box_id = box and ($1 is null or t.id > $1) and ($2 is null or t.id <= $2)
        and not exists (select from unnest($3) as k(id) where k.id collate "C" = t.id);', target));
  end if;
  if exists (select from replication.layout l where l.servers = '{}') then
    perform replication.add_whole_writing(schema, name, append_only);
  else
    -- A table with parts elsewhere has no unique index as a whole: rows are updated first and inserted where there was none.
    if not append_only then
      body := format('
    update %1$s t set %5$s from (select u.id, %6$s from unnest($1, %4$s) as u(id, %2$s)) as r(id, %2$s)
     where t.box_id = box and t.id = any($1) and t.id = r.id and (%7$s) is distinct from (%3$s);',
        target, w.cols, w.theirs, w.args, w.given, w.typed, w.mine);
    end if;
    body := body || format('
    insert into %1$s as t (box_id, id, %2$s)
      select box, r.id, %3$s from (select u.id, %5$s from unnest($1, %4$s) as u(id, %2$s)) as r(id, %2$s)
       where not exists (select from %1$s k where k.box_id = box and k.id = r.id and k.id = any($1));',
      target, w.cols, w.theirs, w.args, w.typed);
    if append_only then
      body := body || format('
    if exists (select from (select u.id, %6$s from unnest($1, %4$s) as u(id, %2$s)) as r(id, %2$s)
                 join %1$s t on t.box_id = box and t.id = r.id and t.id = any($1) where (%5$s) is distinct from (%3$s)) then
      raise exception ''%1$s is append-only'' using errcode = ''WB004'';
    end if;', target, w.cols, w.theirs, w.args, w.mine, w.typed);
    end if;
    perform replication.add_function(schema, 'put_' || name, 'ids text[], ' || w.params, body);
  end if;
  -- Boxes of before send JSON as jsonb.
  if w.before is not null then
    perform replication.add_function(schema, 'put_' || name, 'ids text[], ' || w.before,
      format('perform %I.%I($1, %s);', schema, 'put_' || name, w.passed));
  end if;
end $$;

do $$
declare
  t     record;
  body  text := pg_get_functiondef('replication.lay_out'::regproc);
  drops text := (select (regexp_match(body, 'foreach verb in array case.*?end loop;'))[1]);
begin
  execute replace(body, drops, 'perform replication.drop_writing(t.schema, t.name);');
  for t in select * from replication.tables loop
    perform replication.drop_writing(t.schema, t.name);
    perform replication.add_writing(t.schema, t.name, t.append_only);
  end loop;
end $$;
