-- Accounts whose users wanted them gone: what is still to be done, and that it was. A box rebuilt from central goes on with it.

select replication.add_table('identity', 'erasures', $$
  user_id               text not null,
  requested_at          timestamptz not null,
  held_at               timestamptz,
  wiped_at              timestamptz,
  finished_at           timestamptz
$$);
