"""The old system's move without an ORM: FastAPI, one connection of sqlite3, WAL, synchronous=FULL."""

import json
import os
import sqlite3
import uuid

import jwt
from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse

import rules

SECRET = "a secret of the bench that is long enough for HS256"
app = FastAPI()
db = sqlite3.connect(os.environ["PEER_DB"], isolation_level=None)
db.executescript(
    """
    pragma journal_mode = wal;
    pragma synchronous = full;
    create table if not exists games (id text primary key, player0 text not null, player1 text not null,
        seq integer not null, state text not null, won0 integer not null, won1 integer not null);
    """
)


def caller(authorization):
    return jwt.decode(authorization.removeprefix("Bearer "), SECRET, algorithms=["HS256"])["sub"]


@app.get("/token/{user}")
async def token(user: str):
    return {"access_token": jwt.encode({"sub": user}, SECRET, algorithm="HS256")}


@app.post("/api/v1/games", status_code=201)
async def create(request: Request):
    body = await request.json()
    game = str(uuid.uuid4())
    db.execute(
        "insert into games values (?, ?, ?, 0, ?, 0, 0)",
        (game, body["players"][0], body["players"][1], json.dumps(rules.deal())),
    )
    return {"game_id": game}


def load(game, user):
    row = db.execute("select player0, player1, seq, state, won0, won1 from games where id = ?", (game,)).fetchone()
    if row is None or user not in row[:2]:
        return None, None, None
    return row, row[:2].index(user), json.loads(row[3])


@app.get("/api/v1/games/{game}")
async def show(game: str, authorization: str = Header()):
    row, seat, state = load(game, caller(authorization))
    if row is None:
        return JSONResponse({"code": "not_found"}, 404)
    return JSONResponse(rules.view(state, seat, row[2]))


@app.post("/api/v1/games/{game}/play")
async def play(game: str, request: Request, authorization: str = Header()):
    user = caller(authorization)
    action = await request.json()
    db.execute("begin immediate")
    try:
        row, seat, state = load(game, user)
        if row is None:
            db.execute("rollback")
            return JSONResponse({"code": "not_found"}, 404)
        try:
            over = rules.play(state, seat, action)
        except rules.Refused as refused:
            db.execute("rollback")
            return JSONResponse({"code": str(refused)}, 409)
        seq, won = row[2] + 1, [row[4], row[5]]
        if over is not None:
            if over >= 0:
                won[over] += 1
            state = rules.deal()
        db.execute(
            "update games set seq = ?, state = ?, won0 = ?, won1 = ? where id = ?",
            (seq, json.dumps(state), *won, game),
        )
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise
    return JSONResponse({"seq": seq, "events": [action], "game": rules.view(state, seat, seq)})
