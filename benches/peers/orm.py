"""The old system's move with an ORM: FastAPI, SQLAlchemy, SQLite with WAL and synchronous=FULL."""

import datetime
import os
import uuid

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import JSON, DateTime, ForeignKey, Integer, String, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker
from sqlalchemy.orm.attributes import flag_modified

import rules

SECRET = "a secret of the bench that is long enough for HS256"
engine = create_engine(f"sqlite:///{os.environ['PEER_DB']}", connect_args={"timeout": 60}, pool_size=20, max_overflow=40)


@event.listens_for(engine, "connect")
def settings(connection, _):
    connection.isolation_level = None
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")


@event.listens_for(engine, "begin")
def begin(connection):
    # Two that read first and write then would refuse each other.
    connection.exec_driver_sql("begin immediate")


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
    scores: Mapped[list["Score"]] = relationship(order_by="Score.seat", lazy="selectin")


class Score(Base):
    __tablename__ = "scores"
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id"), primary_key=True)
    seat: Mapped[int] = mapped_column(Integer, primary_key=True)
    rounds_won: Mapped[int] = mapped_column(Integer, default=0)


class Move(Base):
    __tablename__ = "moves"
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    player_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    action: Mapped[dict] = mapped_column(JSON)
    created_at: Mapped[datetime.datetime] = mapped_column(DateTime, default=lambda: datetime.datetime.now(datetime.UTC))


Base.metadata.create_all(engine)
SessionLocal = sessionmaker(engine)
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


def session():
    with SessionLocal() as db:
        yield db


def current_user(authorization: str = Header(), db: Session = Depends(session)) -> User:
    claims = jwt.decode(authorization.removeprefix("Bearer "), SECRET, algorithms=["HS256"])
    user = db.get(User, claims["sub"])
    if user is None:
        raise HTTPException(401)
    return user


def own_game(db: Session, game_id: str, user: User) -> tuple[Game, int]:
    game = db.get(Game, game_id)
    if game is None or user.id not in (game.player0_id, game.player1_id):
        raise HTTPException(404)
    return game, 0 if game.player0_id == user.id else 1


@app.get("/token/{user}")
def token(user: str, db: Session = Depends(session)):
    if db.get(User, user) is None:
        db.add(User(id=user, username=user))
        db.commit()
    return {"access_token": jwt.encode({"sub": user}, SECRET, algorithm="HS256")}


@app.post("/api/v1/games", status_code=201)
def create(body: Players, db: Session = Depends(session)):
    game = Game(id=str(uuid.uuid4()), player0_id=body.players[0], player1_id=body.players[1], seq=0, state=rules.deal())
    game.scores = [Score(seat=0, rounds_won=0), Score(seat=1, rounds_won=0)]
    db.add(game)
    db.commit()
    return {"game_id": game.id}


@app.get("/api/v1/games/{game_id}", response_model=View)
def show(game_id: str, user: User = Depends(current_user), db: Session = Depends(session)):
    game, seat = own_game(db, game_id, user)
    return rules.view(game.state, seat, game.seq)


@app.post("/api/v1/games/{game_id}/play", response_model=Played)
def play(game_id: str, action: Action, user: User = Depends(current_user), db: Session = Depends(session)):
    game, seat = own_game(db, game_id, user)
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
    db.add(Move(game_id=game.id, seq=game.seq, player_id=user.id, action=action.model_dump()))
    db.commit()
    db.refresh(game)
    return Played(seq=game.seq, events=[action], game=View(**rules.view(game.state, seat, game.seq)))
