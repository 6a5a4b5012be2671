"""The old system's move with an ORM: FastAPI, SQLAlchemy, SQLite with WAL and synchronous=FULL.

Written to bear load: a transaction takes the write lock when it begins and lives inside its handler, so that none waits
for a thread while it holds the lock; there is a connection for each of the server's threads; and one that finds the
database locked for all of its patience tries again.
"""

import os
import random
import time
import uuid

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import JSON, ForeignKey, Integer, String, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker
from sqlalchemy.orm.attributes import flag_modified

import rules

SECRET = "a secret of the bench that is long enough for HS256"
# Handlers that are no coroutines run in as many threads.
THREADS = 40
TRIES = 5
engine = create_engine(
    f"sqlite:///{os.environ['PEER_DB']}", connect_args={"timeout": 30}, pool_size=THREADS, max_overflow=0
)


@event.listens_for(engine, "connect")
def settings(connection, _):
    connection.isolation_level = None
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")


@event.listens_for(engine, "begin")
def begin(connection):
    # Two that read first and write then would refuse each other.
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("begin" if reads else "begin immediate")


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    username: Mapped[str] = mapped_column(String, unique=True)


class Game(Base):
    __tablename__ = "games"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    player0_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    player1_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    seq: Mapped[int] = mapped_column(Integer, default=0)
    state: Mapped[dict] = mapped_column(JSON)
    scores: Mapped[list["Score"]] = relationship(order_by="Score.seat")


class Score(Base):
    __tablename__ = "scores"
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id"), primary_key=True)
    seat: Mapped[int] = mapped_column(Integer, primary_key=True)
    rounds_won: Mapped[int] = mapped_column(Integer, default=0)


Base.metadata.create_all(engine)
Writing = sessionmaker(engine, expire_on_commit=False)
Reading = sessionmaker(engine.execution_options(reads=True), expire_on_commit=False)
app = FastAPI()


class Action(BaseModel):
    type: str = "play"
    card: int | None = None
    shape: str | None = None


class View(BaseModel):
    seq: int
    seat: int
    phase: str
    turn: int | None
    hand: list[int]
    pile: list[int]
    called: str | None
    pending: dict | None
    opponent_cards: int
    market_cards: int
    legal: list[int]


class Played(BaseModel):
    seq: int
    events: list[Action]
    game: View


class Players(BaseModel):
    players: list[str]


def in_transaction(sessions, work):
    for left in reversed(range(TRIES)):
        try:
            with sessions.begin() as db:
                return work(db)
        except OperationalError as error:
            if left == 0 or "locked" not in str(error):
                raise
            time.sleep(random.uniform(0.01, 0.05))


async def caller(authorization: str = Header()) -> str:
    return jwt.decode(authorization.removeprefix("Bearer "), SECRET, algorithms=["HS256"])["sub"]


def own_game(db: Session, game_id: str, caller_id: str) -> tuple[Game, int]:
    user = db.get(User, caller_id)
    if user is None:
        raise HTTPException(401)
    game = db.get(Game, game_id)
    if game is None or user.id not in (game.player0_id, game.player1_id):
        raise HTTPException(404)
    return game, 0 if game.player0_id == user.id else 1


@app.get("/token/{user}")
def token(user: str):
    def work(db: Session):
        if db.get(User, user) is None:
            db.add(User(id=user, username=user))

    in_transaction(Writing, work)
    return {"access_token": jwt.encode({"sub": user}, SECRET, algorithm="HS256")}


@app.post("/api/v1/games", status_code=201)
def create(body: Players):
    def work(db: Session):
        zero, one = body.players
        game = Game(id=str(uuid.uuid4()), player0_id=zero, player1_id=one, seq=0, state=rules.deal())
        game.scores = [Score(seat=0, rounds_won=0), Score(seat=1, rounds_won=0)]
        db.add(game)
        return game.id

    return {"game_id": in_transaction(Writing, work)}


@app.get("/api/v1/games/{game_id}", response_model=View)
def show(game_id: str, caller_id: str = Depends(caller)):
    def work(db: Session):
        game, seat = own_game(db, game_id, caller_id)
        return rules.view(game.state, seat, game.seq)

    return in_transaction(Reading, work)


@app.post("/api/v1/games/{game_id}/play", response_model=Played)
def play(game_id: str, action: Action, caller_id: str = Depends(caller)):
    def work(db: Session):
        game, seat = own_game(db, game_id, caller_id)
        try:
            over = rules.play(game.state, seat, action.model_dump())
        except rules.Refused as refused:
            raise HTTPException(409, str(refused)) from None
        game.seq += 1
        if over is not None:
            if over >= 0:
                game.scores[over].rounds_won += 1
            game.state = rules.deal()
        flag_modified(game, "state")
        return Played(seq=game.seq, events=[action], game=View(**rules.view(game.state, seat, game.seq)))

    return in_transaction(Writing, work)
