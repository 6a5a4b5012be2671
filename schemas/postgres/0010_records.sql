-- What a lost box is rebuilt from: beside its typed columns each row carries what the box keeps of it besides, and the box's master key lies
-- here sealed to the owner's recovery key, which is on paper and nowhere else.

-- The writing functions as before, but for one thing: a column at the end that may be null need not be sent, so that a box which does not know
-- it yet goes on.
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

do $$
declare
  t record;
  verb text;
begin
  for t in select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind = 'r' and (n.nspname in ('identity', 'customer', 'game', 'chat') and c.relname <> 'audits'
                                       or n.nspname = 'replication' and c.relname in ('answers', 'verifications')) loop
    execute format('alter table %I.%I add column record bytea', t.schema, t.name);
    execute format('comment on column %I.%I.record is %L', t.schema, t.name,
      'What the box keeps of the row besides, in its own form: a lost box is rebuilt from it.');
    foreach verb in array array['put_', 'drop_', 'keep_'] loop
      execute format('drop function %I.%I', t.schema, verb || t.name);
    end loop;
    perform replication.add_functions(t.schema, t.name, append_only => false);
  end loop;
end $$;

-- One row for each box that has printed its recovery sheet.
select replication.add_table('replication', 'recovery_keys', $t$
  recipient             text not null,
  sealed                bytea not null,
  sealed_at             timestamptz not null
$t$);
comment on table replication.recovery_keys is 'Each box''s master key, sealed with age to the recovery key on its owner''s sheet. Nobody here can open it.';
