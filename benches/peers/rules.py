"""The card rules of the peers: a match as a dict of plain values, one function that plays, one that shows.

Much less than the box's rules: no penalties to answer, no clocks, no proofs. Cards are numbered as the box numbers them.
"""

import random

SHAPES = ["circle", "triangle", "cross", "square", "star"]
NUMBERS = {
    "circle": [1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14],
    "triangle": [1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14],
    "cross": [1, 2, 3, 5, 7, 10, 11, 13, 14],
    "square": [1, 2, 3, 5, 7, 10, 11, 13, 14],
    "star": [1, 2, 3, 4, 5, 7, 8],
}
DECK = [(shape, number) for shape in SHAPES for number in NUMBERS[shape]] + [(None, 20)] * 5


class Refused(Exception):
    pass


def deal():
    cards = list(range(54))
    random.shuffle(cards)
    hands = [sorted(cards[:6]), sorted(cards[6:12])]
    rest = cards[12:]
    start = next(card for card in rest if DECK[card][1] not in (1, 2, 5, 8, 14, 20))
    rest.remove(start)
    return {"hands": hands, "market": rest, "pile": [start], "called": None, "turn": 1}


def follows(state, card):
    shape, number = DECK[card]
    top_shape, top_number = DECK[state["pile"][-1]]
    if shape is None:
        return True
    if state["called"]:
        return shape == state["called"]
    return shape == top_shape or number == top_number


def take(state, seat, count):
    for _ in range(min(count, len(state["market"]))):
        state["hands"][seat].append(state["market"].pop(0))
    state["hands"][seat].sort()


def play(state, seat, action):
    """Plays or draws; the winner of the round, if it is over (-1: nobody)."""
    if state["turn"] != seat:
        raise Refused("not_your_turn")
    if action.get("type") == "draw":
        take(state, seat, 1)
        state["turn"] = 1 - seat
        return -1 if not state["market"] else None
    card, hand = action["card"], state["hands"][seat]
    if card not in hand:
        raise Refused("card_not_in_hand")
    if not follows(state, card):
        raise Refused("no_match")
    shape, number = DECK[card]
    if shape is None and action.get("shape") not in SHAPES:
        raise Refused("shape_required")
    hand.remove(card)
    state["pile"].append(card)
    state["called"] = action["shape"] if shape is None else None
    state["turn"] = seat if number in (1, 8, 14) else 1 - seat
    if not hand:
        return seat
    take(state, 1 - seat, {2: 2, 5: 3, 14: 1}.get(number, 0))
    return -1 if not state["market"] else None


def view(state, seat, seq):
    return {
        "seq": seq,
        "seat": seat,
        "phase": "play",
        "turn": state["turn"],
        "hand": state["hands"][seat],
        "pile": state["pile"],
        "called": state["called"],
        "pending": None,
        "opponent_cards": len(state["hands"][1 - seat]),
        "market_cards": len(state["market"]),
        "legal": [card for card in state["hands"][seat] if follows(state, card)] if state["turn"] == seat else [],
    }
