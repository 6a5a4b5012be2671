-- Two more orders: to shut a box, so that nobody plays or writes on it and its keys go once everything is here; and to take that back.

alter table replication.directives drop constraint directives_kind_check;
alter table replication.directives add constraint directives_kind_check
  check (kind in ('hold', 'release', 'suspend', 'restore', 'provision_distributor', 'settings', 'revoke', 'reinstate'));
comment on column replication.directives.arguments is 'hold, release: conversation_id, reason; suspend, restore: user_id or username; provision_distributor: username, alias; settings: archive_days; revoke, reinstate: reason.';
