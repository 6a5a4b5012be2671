-- Central on more than one table, disk or server: the same schema in three layouts. `single` is what the migrations before this one make;
-- `partitioned` splits every replicated table by a hash of box_id; `citus` distributes it by box_id. Nothing a box calls changes its name.

create table replication.layout (
  one         boolean primary key default true check (one),
  name        text not null check (name in ('single', 'partitioned', 'citus')),
  partitions  bigint not null check (partitions between 1 and 1024),
  servers     text[] not null default '{}',
  since       timestamptz not null default clock_timestamp()
);
comment on table replication.layout is 'How the replicated tables lie: one row, changed by replication.lay_out().';
comment on column replication.layout.servers is 'Foreign servers that hold partitions; those that no server has lie here.';
alter table replication.layout enable row level security, force row level security;
create policy operator on replication.layout using ((select replication.operator())) with check ((select replication.operator()));
insert into replication.layout (name, partitions) values ('single', 1);

create view replication.tables as
  select n.nspname::name as schema, c.relname as name, c.relkind = 'p' as partitioned,
         not exists (select from pg_proc d where d.pronamespace = n.oid and d.proname = 'drop_' || c.relname) as append_only
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname in ('identity', 'customer', 'game', 'chat', 'replication') and c.relkind in ('r', 'p') and not c.relispartition
     and exists (select from pg_proc p where p.pronamespace = n.oid and p.proname = 'put_' || c.relname);
comment on view replication.tables is 'Every replicated table.';

-- The writing functions as before; but where parts of a table lie on other servers it has no unique index as a whole (its parts have, each its own),
-- so rows are updated first and inserted where there was none. One batch of a box at a time writes a table: the lane's lock sees to that.
alter function replication.add_writing(name, name, boolean) rename to add_whole_writing;
create function replication.add_writing(schema name, name name, append_only boolean)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
  params text;    -- username text[], …
  cols   text;    -- username, …
  mine   text;    -- t.username, …
  theirs text;    -- r.username, …
  given  text;    -- username = r.username, …
  args   text;    -- $2, …
  body   text := '';
begin
  if exists (select from replication.layout l where l.servers = '{}') then
    perform replication.add_whole_writing(schema, name, append_only);
    return;
  end if;
  select string_agg(format('%I %s[]%s', attname, format_type(atttypid, null), case when attnum > required then ' default null' else '' end),
                    ', ' order by attnum),
         string_agg(format('%I', attname), ', ' order by attnum),
         string_agg(format('t.%I', attname), ', ' order by attnum),
         string_agg(format('r.%I', attname), ', ' order by attnum),
         string_agg(format('%1$I = r.%1$I', attname), ', ' order by attnum),
         string_agg('$' || n, ', ' order by attnum)
    into strict params, cols, mine, theirs, given, args
    from (select *, row_number() over (order by attnum) + 1 as n, max(attnum) filter (where attnotnull) over () as required from pg_attribute
           where attrelid = target::regclass and attnum > 0 and not attisdropped and attname not in ('box_id', 'id')) a;
  if not append_only then
    body := format('
    update %1$s t set %5$s from unnest($1, %4$s) as r(id, %2$s)
     where t.box_id = box and t.id = any($1) and t.id = r.id and (%6$s) is distinct from (%3$s);', target, cols, theirs, args, given, mine);
    perform replication.add_function(schema, 'drop_' || name, 'ids text[]',
      format('delete from %s t where t.box_id = box and t.id = any($1);', target));
    perform replication.add_function(schema, 'keep_' || name, 'after text, upto text, ids text[]',
      format('delete from %s t where t.box_id = box and ($1 is null or t.id > $1) and ($2 is null or t.id <= $2)
        and not exists (select from unnest($3) as k(id) where k.id collate "C" = t.id);', target));
  end if;
  body := body || format('
    insert into %1$s as t (box_id, id, %2$s)
      select box, r.id, %3$s from unnest($1, %4$s) as r(id, %2$s)
       where not exists (select from %1$s k where k.box_id = box and k.id = r.id and k.id = any($1));', target, cols, theirs, args);
  if append_only then
    body := body || format('
    if exists (select from unnest($1, %4$s) as r(id, %2$s) join %1$s t on t.box_id = box and t.id = r.id and t.id = any($1)
                where (%5$s) is distinct from (%3$s)) then
      raise exception ''%1$s is append-only'' using errcode = ''WB004'';
    end if;', target, cols, theirs, args, mine);
  end if;
  perform replication.add_function(schema, 'put_' || name, 'ids text[], ' || params, body);
end $$;

-- The guards of one replicated table: who sees which rows, and what is only ever added to.
create function replication.guard(schema name, name name, append_only boolean) returns void language plpgsql
  set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
begin
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
end $$;

-- The indexes of a table beside its primary key, each as a statement with a place for the table's name.
create function replication.further_indexes(target regclass) returns table (ddl text, is_unique boolean) language sql stable
  set search_path = pg_catalog, pg_temp as $$
  select regexp_replace(replace(pg_get_indexdef(i.indexrelid), '%', '%%'), ' INDEX \S+ ON (ONLY )?\S+ ', ' INDEX ON %s '), i.indisunique
    from pg_index i where i.indrelid = target and not i.indisprimary $$;

-- What a further server must have before partitions can lie there: to be run on server number `number` of `servers`, by a role of its own. Such a
-- server trusts the operator's login alone; no box ever reaches it.
create function replication.remote_tables(partitions bigint, servers text[], number bigint) returns text language sql stable
  set search_path = pg_catalog, pg_temp as $$
  select string_agg(format(E'create schema if not exists %I;\ncreate table %I.%I (%s, primary key (box_id, id));', t.schema, t.schema,
           t.name || '_p' || p.n,
           (select string_agg(format('%I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                     case when a.attname = 'id' then ' collate "C"' else '' end, case when a.attnotnull then ' not null' else '' end),
                     ', ' order by a.attnum)
              from pg_attribute a where a.attrelid = format('%I.%I', t.schema, t.name)::regclass and a.attnum > 0 and not a.attisdropped))
         || coalesce((select string_agg(format(E'\n' || f.ddl || ';', format('%I.%I', t.schema, t.name || '_p' || p.n)), '')
              from replication.further_indexes(format('%I.%I', t.schema, t.name)::regclass) f), ''),
           E'\n' order by t.schema, t.name, p.n)
    from replication.tables t, generate_series(0, partitions - 1) p(n)
   where p.n % (cardinality(servers) + 1) = number $$;

-- One table, split. Rows come along; nothing else may write meanwhile.
create function replication.split_table(schema name, name name, append_only boolean, partitions bigint, servers text[])
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
  old    text := format('%I.%I', schema, name || '_whole');
  part   name;
  server text;
  said   text := obj_description(target::regclass, 'pg_class');
  shared boolean := has_table_privilege(replication.reader_group(), target, 'select');
  more   record;
begin
  execute format('lock table %s in access exclusive mode', target);
  create temporary table further on commit drop as select * from replication.further_indexes(target::regclass);
  execute format('alter table %s rename to %I', target, name || '_whole');
  -- With partitions elsewhere no index can hold for all of them: each partition then has its own.
  execute format('create table %s (like %s including all excluding indexes) partition by hash (box_id)', target, old);
  if servers = '{}' then
    execute format('alter table %s add primary key (box_id, id)', target);
  end if;
  for n in 0 .. partitions - 1 loop
    part := name || '_p' || n;
    server := servers[n % (cardinality(servers) + 1)];
    if server is null then
      execute format('create table %I.%I partition of %s for values with (modulus %s, remainder %s)', schema, part, target, partitions, n);
      if servers <> '{}' then
        execute format('alter table %I.%I add primary key (box_id, id)', schema, part);
        for more in select f.ddl from further f where f.is_unique loop
          execute format(more.ddl, format('%I.%I', schema, part));
        end loop;
      end if;
      execute format('alter table %I.%I enable row level security, force row level security', schema, part);
    else
      execute format('create foreign table %I.%I partition of %s for values with (modulus %s, remainder %s)
        server %I options (schema_name %L, table_name %L)', schema, part, target, partitions, n, server, schema, part);
    end if;
  end loop;
  execute format('insert into %s select * from %s', target, old);
  execute format('drop table %s', old);
  for more in select f.ddl from further f where servers = '{}' or not f.is_unique loop
    execute format(more.ddl, target);
  end loop;
  drop table further;
  if said is not null then
    execute format('comment on table %s is %L', target, said);
  end if;
  if shared then
    execute format('grant select on %s to %I', target, replication.reader_group());
  end if;
  perform replication.guard(schema, name, append_only);
end $$;

-- A reading function that takes its box from a variable instead of asking in the middle of a statement: a statement that is sent elsewhere must
-- carry the box with it, for there nobody has logged in as one.
create function replication.bind_box(f regprocedure) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  p    pg_proc := (select x from pg_proc x where x.oid = f);
  outs text := (select string_agg(format('%I', a.name), ', ' order by a.n)
                  from unnest(p.proargnames, p.proargmodes) with ordinality a(name, mode, n) where a.mode = 'o');
begin
  execute format('create or replace function %I.%I(%s) language plpgsql stable security definer
  set search_path = pg_catalog, pg_temp as $fn$
  #variable_conflict use_column
  declare
    box uuid := replication.caller();
  begin
    select * into %s from (%s) q;
  end $fn$', p.pronamespace::regnamespace, p.proname, pg_get_function_arguments(f), outs, replace(p.prosrc, 'replication.caller()', 'box'));
end $$;

-- All reading functions of one table, so bound.
create function replication.bind_reading(schema name, name name) returns void language sql set search_path = pg_catalog, pg_temp as $$
  select replication.bind_box(p.oid::regprocedure) from pg_proc p join pg_language l on l.oid = p.prolang
   where p.pronamespace = schema::text::regnamespace and l.lanname = 'sql' and p.prosrc like '%replication.caller()%'
     and p.prosrc ~ format('\m%s\.%s\M', schema, name) and has_function_privilege(replication.box_group(), p.oid, 'execute') $$;

-- One table, distributed. Shards know no session of a box and run no trigger, so what guards them is that nobody but the functions reaches them:
-- every statement of those names one box, which the coordinator took from the login.
create function replication.distribute_table(schema name, name name, append_only boolean, beside text)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
begin
  if append_only then
    execute format('drop trigger append_only on %s', target);
    execute format('drop trigger append_only_all on %s', target);
  end if;
  execute format('alter table %s no force row level security, disable row level security', target);
  perform replication.bind_reading(schema, name);
  execute format('select create_distributed_table(%L, %L, colocate_with => %L)', target, 'box_id', beside);
end $$;

-- Lays every replicated table out anew. From `single` alone; the way back is a new central, which the boxes fill.
create function replication.lay_out(layout text, partitions bigint default 16, servers text[] default '{}')
  returns boolean language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  t       record;
  v       record;
  verb    text;
  again   text[] := '{}';
  beside  text := 'none';
  present text := (select l.name from replication.layout l for update);
begin
  if present = layout then
    return false;
  end if;
  if present <> 'single' then
    raise exception 'central lies %, and is laid out anew from single alone', present using errcode = '55000';
  end if;
  if layout = 'citus' and not exists (select from pg_extension where extname = 'citus') then
    raise exception 'this database has no citus: create extension citus, as its administrator' using errcode = '55000';
  end if;
  update replication.layout l set name = layout, partitions = lay_out.partitions, servers = lay_out.servers, since = clock_timestamp();
  if layout = 'partitioned' then
    -- Views hold on to the tables of before: they are taken down and put up again as they were.
    for v in select c.oid, c.relname, pg_get_viewdef(c.oid) as body, obj_description(c.oid, 'pg_class') as said,
                    has_table_privilege(replication.reader_group(), c.oid, 'select') as shared
               from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where n.nspname = 'replication' and c.relkind = 'v' and c.relname <> 'tables' order by c.oid loop
      again := again || format('create view replication.%I as %s', v.relname, v.body);
      if v.said is not null then
        again := again || format('comment on view replication.%I is %L', v.relname, v.said);
      end if;
      again := again || coalesce((select array_agg(format('comment on column replication.%I.%I is %L', v.relname, a.attname,
          col_description(a.attrelid, a.attnum))) from pg_attribute a
        where a.attrelid = v.oid and a.attnum > 0 and col_description(a.attrelid, a.attnum) is not null), '{}');
      if v.shared then
        again := again || format('grant select on replication.%I to %I', v.relname, replication.reader_group());
      end if;
      execute format('drop view replication.%I', v.relname);
    end loop;
  end if;
  for t in select * from replication.tables order by schema, name loop
    if layout = 'partitioned' then
      perform replication.split_table(t.schema, t.name, t.append_only, partitions, servers);
      foreach verb in array case when t.append_only then array['put_'] else array['put_', 'drop_', 'keep_'] end loop
        execute format('drop function %I.%I', t.schema, verb || t.name);
      end loop;
      perform replication.add_functions(t.schema, t.name, t.append_only);
    elsif layout = 'citus' then
      perform replication.distribute_table(t.schema, t.name, t.append_only, beside);
      beside := format('%I.%I', t.schema, t.name);
    end if;
  end loop;
  foreach verb in array again loop
    execute verb;
  end loop;
  return true;
end $$;
comment on function replication.lay_out is 'Lays the replicated tables out as partitioned or citus: whotbox upstream migrate --layout.';

-- A table that a later migration makes lies as the others do.
create or replace function replication.add_table(schema name, name name, columns text, extra text default '', append_only boolean default false)
  returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  target text := format('%I.%I', schema, name);
  l      replication.layout := (select x from replication.layout x);
begin
  execute format('create table %s (box_id uuid not null, id text collate "C" not null, %s, primary key (box_id, id) %s)',
    target, columns, extra);
  if l.name = 'partitioned' then
    perform replication.split_table(schema, name, append_only, l.partitions, l.servers);
  else
    perform replication.guard(schema, name, append_only);
  end if;
  perform replication.add_functions(schema, name, append_only);
  if l.name = 'citus' then
    perform replication.distribute_table(schema, name, append_only, 'identity.users');
  end if;
end $$;

do $$
declare
  f regprocedure;
begin
  for f in select oid from pg_proc where pronamespace = 'replication'::regnamespace
      and proname in ('guard', 'further_indexes', 'remote_tables', 'split_table', 'distribute_table', 'bind_box', 'bind_reading', 'lay_out', 'add_table', 'add_writing', 'add_whole_writing') loop
    execute format('revoke all on function %s from public', f);
  end loop;
end $$;
