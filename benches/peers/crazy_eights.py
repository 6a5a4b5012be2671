"""Crazy eights of OpenSpiel: whole games between two uniformly random players, all in C++. Prints players' moves and seconds."""

import sys
import time

import pyspiel

games = int(sys.argv[1])
game = pyspiel.load_game("crazy_eights(players=2)")
bots = [pyspiel.make_uniform_random_bot(seat, 7 + seat) for seat in (0, 1)]
moves, seconds = 0, 0.0
for seed in range(games):
    began = time.perf_counter()
    state = game.new_initial_state()
    pyspiel.evaluate_bots(state, bots, seed)
    seconds += time.perf_counter() - began
    moves += sum(1 for step in state.full_history() if step.player >= 0)
print(moves, seconds)
