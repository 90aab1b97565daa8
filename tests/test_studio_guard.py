"""Who gets in: token, Host, Origin, sizes; and which files may be read."""

import asyncio
import gzip
import io
import json
import os
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kansym.base.errors import FormatError, InputError, UnknownNameError
from kansym.pipeline.flow import discover
from kansym.studio import folder as studio_folder
from kansym.studio import session
from kansym.studio.desk import Desk, Opened
from kansym.studio.folder import OWN, Folder
from kansym.studio.guard import Guard, Key

KEY = Key("127.0.0.1", 8000)
GOOD = f"token={KEY.token}".encode()


def _headers(host="127.0.0.1:8000", **more):
    return [(b"host", host.encode()), *((k.encode(), v.encode()) for k, v in more.items())]


def test_the_printed_address_opens_and_so_does_its_cookie():
    assert KEY.address == f"http://127.0.0.1:8000/?token={KEY.token}"
    assert KEY.refusal(_headers(), GOOD) == ""
    assert KEY.refusal(_headers("localhost:8000"), GOOD) == ""
    assert KEY.refusal(_headers(cookie=f"a=b; {KEY.cookie}={KEY.token}"), b"") == ""
    assert KEY.refusal(_headers(origin="http://127.0.0.1:8000"), GOOD) == ""
    assert Key("127.0.0.1", 8000).token != KEY.token


@pytest.mark.parametrize(
    "query",
    [b"", b"token=", b"token=x", GOOD[:-1], b"token=\xff", b"Token=" + GOOD[6:]],
    ids=["none", "empty", "wrong", "one sign short", "no text", "capital"],
)
def test_without_the_token_nothing_opens(query):
    assert "token" in KEY.refusal(_headers(), query)
    assert "token" in KEY.refusal(_headers(cookie="kansym-studio-8000=wrong"), query)
    assert "token" in KEY.refusal(_headers(cookie=f"kansym-studio-9={KEY.token}"), query)


@given(st.binary(max_size=60))
def test_no_other_bytes_are_a_token(query):
    assert KEY.refusal(_headers(), query) != "" or KEY.token.encode() in query


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8000",
        "127.0.0.1",
        "127.0.0.1:8001",
        "",
        "[::1",
        "127.0.0.1:x",
        "127.0.0.1.evil.example:8000",
    ],
)
def test_a_name_that_was_pointed_here_is_refused(host):
    assert "Host" in KEY.refusal(_headers(host), GOOD)
    assert KEY.refusal([], GOOD)


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9", "null", "file://"])
def test_pages_of_others_are_refused(origin):
    assert "may not speak" in KEY.refusal(_headers(origin=origin), GOOD)


def test_told_to_listen_elsewhere_it_goes_by_numbers_and_not_by_others_names():
    key = Key("0.0.0.0", 8000)
    query = f"token={key.token}".encode()
    assert key.refusal(_headers("192.168.1.7:8000"), query) == ""
    assert "Host" in key.refusal(_headers("evil.example:8000"), query)
    assert "Host" in KEY.refusal(_headers("192.168.1.7:8000"), GOOD)


def _answer(scope, *bodies, most=100):
    """Return what the guard sends, and what reached the program behind it."""
    sent, reached = [], []

    async def program(scope, receive, send):
        reached.append(scope["type"])
        if scope["type"] == "http":
            message = {"more_body": True}
            while message.get("more_body"):
                message = await receive()
                reached.append(message["type"])
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    waiting = [
        {"type": "http.request", "body": b, "more_body": k < len(bodies) - 1} for k, b in enumerate(bodies)
    ]
    asyncio.run(Guard(program, KEY, most)(scope, receive, send))
    return sent, reached


def _scope(kind="http", query=GOOD, **headers):
    return {"type": kind, "headers": _headers(**headers), "query_string": query}


def test_the_guard_refuses_before_anything_is_reached():
    sent, reached = _answer(_scope(query=b""), b"")
    assert sent[0]["status"] == 403 and not reached
    sent, reached = _answer(_scope("websocket", query=b""))
    assert sent[0]["type"] == "websocket.close" and not reached
    sent, reached = _answer(_scope("websocket", origin="http://evil.example"))
    assert sent[0]["type"] == "websocket.close" and not reached
    assert _answer(_scope("websocket"))[1] == ["websocket"]


def test_the_first_answer_leaves_a_cookie_that_scripts_cannot_read():
    sent, _ = _answer(_scope(), b"")
    headers = dict(sent[0]["headers"])
    assert b"HttpOnly" in headers[b"set-cookie"] and b"SameSite=Strict" in headers[b"set-cookie"]
    assert b"default-src 'self'" in headers[b"content-security-policy"]
    assert headers[b"referrer-policy"] == b"no-referrer"


def test_bodies_are_bounded_whether_they_say_their_length_or_not():
    length = {"content-length": "101"}
    sent, reached = _answer(_scope(**length), b"x" * 101)
    assert sent[0]["status"] == 413 and not reached
    assert _answer(_scope(**{"content-length": "-1"}), b"")[0][0]["status"] == 413
    _, reached = _answer(_scope(), b"x" * 60, b"x" * 60)
    assert reached == ["http", "http.request", "http.disconnect"]
    _, reached = _answer(_scope(), b"x" * 60, b"x" * 40)
    assert reached[-1] == "http.request"


def test_files_outside_the_folder_are_not_read(tmp_path):
    inside = tmp_path / "work"
    inside.mkdir()
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    (inside / "mine.csv").write_text("a,b\n1,2\n2,3\n")
    os.symlink(tmp_path / "secret.csv", inside / "link.csv")
    folder = Folder.of(inside)
    assert folder.files() == ["mine.csv"]
    assert folder.read("mine.csv").rows == 2 and folder.read("planets").rows == 8
    for name in ("../secret.csv", str(tmp_path / "secret.csv"), "link.csv", "/etc/passwd"):
        with pytest.raises(InputError, match="outside"):
            folder.read(name)
    with pytest.raises(UnknownNameError, match="mine"):
        folder.read("mine.cs")
    assert Folder.of(inside, tmp_path / "secret.csv").read("../secret.csv").rows == 1


@pytest.mark.parametrize("name", ["../../x.csv", "/tmp/x.csv", "..\\x.csv", ".x.csv", "x.csv"])
def test_what_is_dropped_stays_in_the_folder(tmp_path, name):
    kept = Folder.of(tmp_path).receive(name, b"a,b\n1,2\n")
    assert kept == os.path.join(OWN, "x.csv")
    assert [p.name for p in (tmp_path / OWN).iterdir()] == ["x.csv"]
    assert Folder.of(tmp_path).receive(name, b"a,b\n1,2\n") == kept
    assert Folder.of(tmp_path).receive(name, b"other") == os.path.join(OWN, "x-2.csv")


def test_what_is_no_table_is_not_kept(tmp_path):
    with pytest.raises(InputError, match="no table"):
        Folder.of(tmp_path).receive("run.sh", b"rm")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "in").mkdir()
    os.symlink(outside, tmp_path / "in" / OWN)
    with pytest.raises(InputError, match="outside"):
        Folder.of(tmp_path / "in").receive("x.csv", b"a")
    assert not list(outside.iterdir())


def test_a_small_file_that_unpacks_to_a_huge_one_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(studio_folder, "MOST_UNPACKED", 1000)
    folder = Folder.of(tmp_path)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/sheet1.xml", b"0" * 1001)
    for name, content in (("bomb.csv.gz", gzip.compress(b"0" * 1001)), ("bomb.xlsx", packed.getvalue())):
        with pytest.raises(InputError, match="unpacks to more"):
            folder.receive(name, content)
    assert not (tmp_path / OWN).exists()
    assert folder.receive("small.csv.gz", gzip.compress(b"a,b\n1,2\n"))
    assert folder.receive("broken.csv.gz", gzip.compress(b"a,b\n1,2\n")[:-4])


@pytest.mark.parametrize("code", ["__import__('os').system('touch hacked')", "x.__class__", "(lambda: 1)()"])
def test_formulas_execute_nothing_wherever_they_stand(tmp_path, monkeypatch, code):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("x,y\n" + "\n".join(f"{k},{2 * k}" for k in range(20)) + "\n")
    desk = Desk(Folder.of(tmp_path))
    desk.take(Opened.read(desk.folder, "t.csv"))
    with pytest.raises(InputError):
        desk.try_formula(code, desk.prepared())
    desk.dataset = desk.prepared()
    desk.show(discover(desk.dataset, effort=0.0))
    saved = session.to_dict(desk)
    for place in ("sympy", "unrounded"):
        evil = json.loads(json.dumps(saved))
        evil["run"]["front"][-1][place] = code
        with pytest.raises((InputError, FormatError)):
            session.open_into(Desk(Folder.of(tmp_path)), evil)
    for field in ("hypotheses", "guesses", "exclude"):
        evil = json.loads(json.dumps(saved))
        evil["question"][field] = [code]
        other = Desk(Folder.of(tmp_path))
        with pytest.raises((InputError, FormatError)):
            session.open_into(other, evil)
            discover(other.prepared(), options=other.question.options())
    assert not (tmp_path / "hacked").exists()


def test_two_people_at_one_desk_do_no_harm(tmp_path):
    """What one does while the other's search is under way is refused in words, and nothing is lost."""
    desk = Desk(Folder.of(tmp_path))
    desk.take(Opened.read(desk.folder, "hubble"))
    desk.begin(desk.prepared())
    try:
        for action in (
            lambda: desk.begin(desk.prepared()),
            lambda: desk.take(Opened.read(desk.folder, "planets")),
            lambda: desk.ask(desk.question.with_part("distance", "unused")),
            desk.go_on,
            lambda: desk.try_formula("a*distance", desk.dataset),
            lambda: desk.ask_aside("relations", {"columns": ["distance", "velocity"]}),
        ):
            with pytest.raises(InputError, match="pause it first"):
                action()
        desk.choose(99)
        assert desk.searching and desk.opened.name == "hubble"
        desk.stop()
        with pytest.raises(InputError, match="No search is under way"):
            desk.stop()
    finally:
        desk.close()
