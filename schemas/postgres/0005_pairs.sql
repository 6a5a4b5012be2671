-- How two players stand against each other, over all their matches that somebody won. Player 0 is the one whose id is lower.

select replication.add_table('game', 'pairs', $$
  player0_id            text not null,
  player1_id            text not null,
  played                bigint not null,
  won0                  bigint not null,
  won1                  bigint not null,
  rounds_won0           bigint not null,
  rounds_won1           bigint not null,
  points0               bigint not null,
  points1               bigint not null,
  last_game_id          text not null,
  last_ended_at         timestamptz not null
$$);
