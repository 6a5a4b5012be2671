#!/usr/bin/env python3
"""Old stores of the four services, as three kinds of installation left them, with faults planted on purpose.

    generate.py FOLDER SHAPE MESSAGES

SHAPE is integers (integer ids, times without a zone), uuids (UUIDs, ISO times) or renamed (text ids, other names for every
table and column, seconds since 1970). Writes identity.sql (for psql), customer.db, game.db, chat.db, key.txt, map.toml
where one is needed, and truth.json: what a good import makes of it. The ciphertexts are made by `cryptography`, the hashes by
`bcrypt`. The same arguments give the same people and faults; keys, salts and tokens are new each time.
"""
import base64, datetime, hashlib, json, os, random, sqlite3, sys, uuid

import bcrypt
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

folder, shape, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
rng = random.Random(shape)
START = datetime.datetime(2025, 1, 6, 8, 0, 0, tzinfo=datetime.timezone.utc)
NOW = datetime.datetime.now(datetime.timezone.utc)
DISTRIBUTORS, CUSTOMERS = 4, 24

# Ids by kind and number. Integers of different kinds meet on purpose: each kind is a world of its own.
def ident(kind, number):
    if shape == "integers":
        return number
    if shape == "uuids":
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{number}"))
    return f"{kind}:{number}"

def when(at):
    if at is None:
        return None
    if shape == "integers":
        return at.strftime("%Y-%m-%d %H:%M:%S.%f")
    if shape == "uuids":
        return at.isoformat().replace("+00:00", "Z")
    return int(at.timestamp())

def days(number):
    return datetime.timedelta(days=number)

key = Fernet.generate_key()
fernet, foreign = Fernet(key), Fernet(Fernet.generate_key())
gcm = AESGCM(base64.urlsafe_b64decode(key))

def sealed(text):
    data = text.encode()
    if shape == "renamed" and rng.random() < 0.5:
        nonce = os.urandom(12)
        return nonce + gcm.encrypt(nonce, data, None)
    return fernet.encrypt(data).decode()

truth = {"shape": shape, "people": [], "texts": {}, "refused": {}, "merged": {}, "dropped": {}, "unopened": [], "held": [], "void": None}
def refuse(table, row_id):
    truth["refused"].setdefault(table, []).append(str(row_id))

# ---- identity -------------------------------------------------------------------------------------------------
users, passwords = [], {}
def user(number, name, role, distributor=None, status="active", **more):
    password = f"old password of {name}"
    cost = bcrypt.gensalt(4)
    secret = more.get("hash", bcrypt.hashpw(password.encode(), cost).decode())
    users.append({
        "id": ident("user", number), "username": name, "password_hash": secret, "role": role,
        "account_type": {"admin": "staff", "moderator": "staff"}.get(role, role),
        "distributor_id": distributor, "vip_enabled": number % 5 == 0, "status": status,
        "phone": more.get("phone", f"+23480123{number:05d}"), "phone_verified": number % 2 == 0,
        "created_at": more.get("created_at", when(START + days(number % 20))),
    })
    truth["people"].append({"id": str(ident("user", number)), "username": more.get("becomes", name.lower()), "password": password,
                            "role": role, "works": more.get("works", True)})

user(1, "boss", "admin")
user(2, "mod.ada", "moderator")
for n in range(DISTRIBUTORS):
    user(10 + n, f"Dist_{n}", "distributor")
for n in range(CUSTOMERS):
    user(100 + n, f"cust{n}", "customer", ident("user", 10 + n % DISTRIBUTORS))
# Two people whose names differ in their case alone; a hash that nothing here verifies; a name that does not fit; a suspended one.
user(201, "CUST3", "customer", ident("user", 13))
user(202, "md5man", "customer", ident("user", 10), hash=hashlib.md5(b"x").hexdigest(), works=False)
user(203, "spaced name", "customer", ident("user", 11), becomes="spaced-name")
user(204, "banned", "customer", ident("user", 12), status="suspended", works=False)
# Whoever comes first in the order of the ids keeps the name.
twins = [p for p in truth["people"] if p["username"] == "cust3"]
twins.sort(key=lambda person: person["id"])
twins[1]["username"] = "cust3-2"
# An account with an impossible date, and one of a role that nobody knows.
user(205, "februarius", "customer", ident("user", 10), created_at="2026-02-30 10:00:00")
user(206, "wizard", "wizard", ident("user", 10))
for n in (205, 206):
    refuse("identity.users", ident("user", n))
truth["people"] = [p for p in truth["people"] if p["username"] not in ("februarius", "wizard")]

live_token = "live refresh token of cust0"
tokens = [
    (ident("token", 1), ident("user", 100), live_token, when(NOW + days(20)), None),
    (ident("token", 2), ident("user", 101), "used refresh token", when(NOW + days(20)), when(NOW - days(1))),
    (ident("token", 3), ident("user", 102), "expired refresh token", when(NOW - days(2)), None),
    (ident("token", 4), ident("user", 9999), "orphan refresh token", when(NOW + days(20)), None),
]
truth["live_token"] = live_token
truth["dropped"]["identity.refresh_tokens"] = 2
refuse("identity.refresh_tokens", ident("token", 4))
attempts = [(ident("attempt", n), f"cust{n % CUSTOMERS}", n % 3 != 0, "192.168.4.7", when(NOW - days(1))) for n in range(1, 31)]
attempts.append((ident("attempt", 31), "a typed password", False, "192.168.4.8", when(NOW - days(1))))
otps = [(ident("otp", n), ident("user", 100), when(NOW - days(3))) for n in range(1, 6)]
truth["dropped"]["identity.user_otps"] = 5

names = {
    "renamed": {
        "users": ("accounts", ["uid", "login", "hashed_password", "user_role", "acct_type", "dist_id", "is_vip", "state", "msisdn", "phone_confirmed", "joined_at"]),
    }
}.get(shape, {"users": ("users", ["id", "username", "password_hash", "role", "account_type", "distributor_id", "vip_enabled", "status", "phone", "phone_verified", "created_at"])})
id_type = {"integers": "bigint", "uuids": "uuid", "renamed": "text"}[shape]
# The impossible date has to be held, so the column is a text there; PostgreSQL's own types hold only good ones.
date_type = {"integers": "text", "uuids": "text", "renamed": "text"}[shape]
stamp_type = {"integers": "timestamp", "uuids": "timestamptz", "renamed": "bigint"}[shape]

def literal(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"

def insert(table, rows):
    return "".join(f"insert into {table} values ({', '.join(map(literal, row))});\n" for row in rows)

table, cols = names["users"]
types = [id_type, "text", "text", "text", "text", id_type, "boolean", "text", "text", "boolean", date_type]
sql = f"create table {table} ({', '.join(f'{c} {t}' for c, t in zip(cols, types))}, primary key ({cols[0]}));\n"
order = ["id", "username", "password_hash", "role", "account_type", "distributor_id", "vip_enabled", "status", "phone", "phone_verified", "created_at"]
sql += insert(table, [[u[k] for k in order] for u in users])
sql += f"create table refresh_tokens (id {id_type} primary key, user_id {id_type}, token text, expires_at {stamp_type}, revoked_at {stamp_type});\n" + insert("refresh_tokens", tokens)
sql += f"create table user_login_attempts (id {id_type} primary key, username text, success boolean, ip_address text, created_at {stamp_type});\n" + insert("user_login_attempts", attempts)
sql += f"create table user_otps (id {id_type} primary key, user_id {id_type}, expires_at {stamp_type}, code text);\n" + insert("user_otps", [o + ("123456",) for o in otps])
sql += f"create table influencers (id {id_type} primary key, user_id {id_type}, name text, code text, reach integer);\n" + insert("influencers", [(ident("influencer", 1), ident("user", 10), "Big Ada", "ADA10", 5000)])
sql += f"create table referrals (id {id_type} primary key, influencer_id {id_type}, referred_user_id {id_type});\n" + insert("referrals", [(ident("referral", 1), ident("influencer", 1), ident("user", 100))])
sql += f"create table earnings (id {id_type} primary key, influencer_id {id_type}, amount numeric, currency text);\n" + insert("earnings", [(ident("earning", 1), ident("influencer", 1), 1500, "NGN")])
sql += f"create table user_influencer_codes (id {id_type} primary key, user_id {id_type}, code text);\n" + insert("user_influencer_codes", [(ident("code", 1), ident("user", 100), "ADA10")])
open(os.path.join(folder, "identity.sql"), "w").write(sql)

def store(name):
    db = sqlite3.connect(os.path.join(folder, name))
    db.text_factory = bytes
    return db

# ---- customer -------------------------------------------------------------------------------------------------
db = store("customer.db")
it = "integer" if shape == "integers" else "text"
R = shape == "renamed"
if R:
    db.execute("create table invitations (invite_token text primary key, dist_id text, dist_alias text, valid_until integer, used_by text)")
    db.execute("create table bonds (cust_id text, dist_id text, cust_username text, created_on integer)")
else:
    db.execute(f"create table invites (id {it} primary key, token text, distributor_id {it}, distributor_alias text, expires_at text, redeemed_by_user_id {it})")
    db.execute(f"create table relationships (customer_id {it}, distributor_id {it}, customer_username text, created_at text)")
invites = [(1, "open-invite-token", 10, NOW + days(5), None), (2, "redeemed-token", 11, NOW + days(5), 100),
           (3, "expired-token", 12, NOW - days(5), None), (4, "orphan-token", 9999, NOW + days(5), None)]
truth["open_invite"] = "open-invite-token"
truth["dropped"]["customer.invites"] = 2
for n, token, owner, until, by in invites:
    row = (token, ident("user", owner), f"Shop {owner}", when(until), ident("user", by) if by else None)
    db.execute(f"insert into {'invitations' if R else 'invites'} values ({'?,' * (5 if R else 6)}".rstrip(",") + ")", row if R else (ident("invite", n),) + row)
refuse("customer.invites", hashlib.sha256(b"orphan-token").hexdigest()[:32] if R else ident("invite", 4))
bonds = [(100 + n, 10 + n % DISTRIBUTORS, f"cust{n}") for n in range(CUSTOMERS)] + [(201, 13, "CUST3"), (203, 11, "spaced name")]
bonds += [(8888, 10, "nobody"), (100, 11, "cust0")]  # an orphan, and a customer of two at once
refuse("customer.relationships", ident("user", 8888))
refuse("customer.relationships", ident("user", 100))
for customer, owner, name in bonds:
    db.execute(f"insert into {'bonds' if R else 'relationships'} values (?,?,?,?)", (ident("user", customer), ident("user", owner), name, when(START)))
db.commit(); db.close()

# ---- game -----------------------------------------------------------------------------------------------------
db = store("game.db")
if R:
    db.execute("create table challenges (invite_id text primary key, challenger_id text, opponent_username text, state text)")
    db.execute("create table matches (match_id text primary key, p1_id text, p2_id text, top text, turn text, scores text, state text, winner text, created_on integer)")
else:
    db.execute(f"create table invites (id {it} primary key, sender_id {it}, recipient_username text, status text)")
    db.execute(f"create table sessions (id {it} primary key, player1_id {it}, player2_id {it}, top_card text, current_player {it}, reconnect_tokens text, score1 integer, score2 integer, status text, winner_id {it}, created_at text)")
challenges = [(1, 100, "cust1", "accepted"), (2, 101, "CUST3", "pending"), (3, 102, "cust3", "declined"), (4, 103, "ghost", "pending")]
for n, sender, name, state in challenges:
    db.execute(f"insert into {'challenges' if R else 'invites'} values (?,?,?,?)", (ident("challenge", n), ident("user", sender), name, state))
refuse("game.invites", ident("challenge", 4))
games = [(1, 100, 101, "7 of stars", 3, 1, "finished", 100), (2, 102, 103, "whot 20", 2, 2, "active", None), (3, 104, 9999, "1 of circles", 0, 0, "finished", 104)]
for n, one, two, top, a, b, state, winner in games:
    w = ident("user", winner) if winner else None
    if R:
        scores = json.dumps({str(ident("user", one)): a, str(ident("user", two)): b})
        row = (ident("match", n), ident("user", one), ident("user", two), top, ident("user", one), scores, state, w, when(START))
    else:
        row = (ident("match", n), ident("user", one), ident("user", two), top, ident("user", one), '["plain-reconnect-token"]', a, b, state, w, when(START))
    db.execute(f"insert into {'matches' if R else 'sessions'} values ({','.join('?' * len(row))})", row)
refuse("game.sessions", ident("match", 3))
truth["void"] = str(ident("match", 2)); truth["won"] = str(ident("match", 1))
db.commit(); db.close()

# ---- chat -----------------------------------------------------------------------------------------------------
db = store("chat.db")
blob = "blob" if R else "text"
if R:
    db.execute("create table threads (thread_id text primary key, dist_id text, cust_id text, hold_state text, reason text)")
    db.execute("create table msgs (msg_id text, thread_id text, author_id text, enc_body, sent_on integer, expires_on integer, seen_by text, hidden_for text)")
    db.execute("create table audit_log (audit_id text primary key, thread_id text, staff_id text, why text, at integer)")
else:
    db.execute(f"create table conversations (id {it} primary key, distributor_id {it}, customer_id {it}, legal_hold integer, hold_reason text, created_at text)")
    db.execute(f"create table messages (id {it}, conversation_id {it}, sender_id {it}, ciphertext text, created_at text, expires_at text, delivered_to text, read_by text, deleted_for text)")
    db.execute(f"create table audits (id {it} primary key, conversation_id {it}, moderator_id {it}, reason text, created_at text)")
pairs = [(n, 10 + n % DISTRIBUTORS, 100 + n) for n in range(CUSTOMERS)]
HELD = 5
for n, owner, customer in pairs:
    held, why = n == HELD, "court order 44/26" if n == HELD else None
    row = (ident("conversation", 1 + n), ident("user", owner), ident("user", customer))
    db.execute("insert into threads values (?,?,?,?,?)" if R else "insert into conversations values (?,?,?,?,?,?)",
               row + (("held" if held else "none", why) if R else (int(held), why, when(START))))
# A second conversation of one pair: its messages belong to the first.
TWIN = 500
row = (ident("conversation", TWIN), ident("user", 10), ident("user", 100))
db.execute("insert into threads values (?,?,?,?,?)" if R else "insert into conversations values (?,?,?,?,?,?)", row + (("none", None) if R else (0, None, when(START))))
truth["merged"]["chat.conversations"] = [str(ident("conversation", TWIN))]
truth["held_conversation"] = str(ident("conversation", 1 + HELD))

def put(number, conversation, sender, body, at, until, read=(), gone=()):
    people = lambda numbers: json.dumps([ident("user", n) for n in numbers])
    row = (ident("message", number), ident("conversation", conversation), ident("user", sender), body, at, until)
    if R:
        db.execute("insert into msgs values (?,?,?,?,?,?,?,?)", row + (people(read), people(gone)))
    else:
        db.execute("insert into messages values (?,?,?,?,?,?,?,?,?)", row + (people(read), people(read), people(gone) if gone else None))

rows = list(range(1, count + 1))
# Numbers and times do not rise together: order is by time.
rng.shuffle(rows)
for place, number in enumerate(rows):
    n, owner, customer = pairs[number % CUSTOMERS]
    sender, other = (owner, customer) if number % 2 else (customer, owner)
    at = START + datetime.timedelta(seconds=number * 7)
    text = f"harmattan message {number} from {sender}"
    put(number, 1 + n, sender, sealed(text), when(at), when(NOW + days(30)), read=[other] if number % 4 == 0 else [])
    if number <= 500:
        truth["texts"][str(ident("message", number))] = [str(ident("conversation", 1 + n)), text, number % 4 == 0]
extra = count
def fault(conversation, sender, body, at=when(START + days(60)), until=when(NOW + days(30))):
    global extra
    extra += 1
    put(extra, conversation, sender, body, at, until)
    return str(ident("message", extra))
refuse("chat.messages", fault(9999, 100, sealed("a message of no conversation")))
refuse("chat.messages", fault(1, 1, sealed("a message of a stranger")))
refuse("chat.messages", fault(1, 100, sealed("a message of no day"), at="2026-02-30 10:00:00"))
truth["unopened"].append(fault(1, 100, foreign.encrypt(b"sealed with a lost key").decode()))
truth["unopened"].append(fault(1, 100, fernet.encrypt(b"\xff\xfe no text").decode()))
held = fault(1 + HELD, 100 + HELD, sealed("harmattan under hold"), until=when(NOW - days(3)))
truth["held"].append([held, "harmattan under hold"])
expired = fault(1, 100, sealed("harmattan past its time"), until=when(NOW - days(3)))
truth["expired"] = expired
twin = fault(TWIN, 100, sealed("harmattan of the twin"))
truth["texts"][twin] = [str(ident("conversation", 1)), "harmattan of the twin", False]
# The same message twice, and bytes that call themselves text.
put(extra, TWIN, 100, sealed("harmattan of the twin"), when(START + days(60)), when(NOW + days(30)))
truth["known"] = {"chat.messages": 1}
broken = ident("message", 900001)
cells = (broken, ident("conversation", 1), ident("user", 100), when(START + days(60)), when(NOW + days(30)))
db.execute("insert into msgs values (?,?,?,cast(x'ff00' as text),?,?,'[]','[]')" if R else
           "insert into messages values (?,?,?,cast(x'ff00' as text),?,?,'[]','[]',null)", cells)
refuse("chat.messages", broken)
for n in range(1, 4):
    row = (ident("audit", n), ident("conversation", 1), ident("user", 2), "abuse" if n == 1 else "reported by the customer")
    db.execute(f"insert into {'audit_log' if R else 'audits'} values (?,?,?,?,?)", row + (when(START + days(n)),))
db.commit(); db.close()
truth["rows"] = {"chat.messages": extra + 2}

open(os.path.join(folder, "key.txt"), "w").write(key.decode() + "\n")
if R:
    # What names alone do not tell.
    open(os.path.join(folder, "map.toml"), "w").write('[game.sessions]\nscores = "scores"\n\n[chat.conversations]\nhold_reason = "reason"\n')
json.dump(truth, open(os.path.join(folder, "truth.json"), "w"), indent=1)
