from __future__ import annotations

from intelligence.store import accounts, control
from tests.datasette_plugins.conftest import PASSWORD, Site, as_user


async def post(site: Site, token: str, **fields: str) -> int:
    return (await site.ask("POST", "/-/users", headers=as_user(token), data=fields)).status_code


def roles(site: Site) -> dict[str, str]:
    with control.reading(site.data_dir) as db:
        return {user.name: user.role for user in accounts.users(db)}


async def test_an_admin_decides_who_comes_in(locked: Site, tokens: dict[str, str]) -> None:
    admin = tokens["admin"]
    assert await post(locked, admin, do="add", name="Ana", role="viewer", password=PASSWORD) == 303
    assert await post(locked, admin, do="role", name="ana", role="reviewer") == 303
    assert roles(locked)["ana"] == "reviewer"
    assert await post(locked, admin, do="log out", name="viewer") == 303
    assert (await locked.get("/", headers=as_user(tokens["viewer"]))).status_code == 403
    assert await post(locked, admin, do="password", name="ana", password="another " + PASSWORD) == 303
    assert await post(locked, admin, do="remove", name="ana") == 303
    assert "ana" not in roles(locked)
    log = (await locked.get("/-/audit", headers=as_user(admin))).text
    assert "remove user" in log and "end sessions" in log and PASSWORD not in log


async def test_others_do_not(locked: Site, tokens: dict[str, str]) -> None:
    for role in ("viewer", "reviewer"):
        assert await post(locked, tokens[role], do="role", name=role, role="admin") == 403
    assert roles(locked) == {"viewer": "viewer", "reviewer": "reviewer", "admin": "admin"}


async def test_what_cannot_be_done_is_said(locked: Site, tokens: dict[str, str]) -> None:
    for fields in ({"do": "remove", "name": "admin"}, {"do": "fly", "name": "ana"}, {}):
        answer = await locked.ask("POST", "/-/users", headers=as_user(tokens["admin"]), data=fields)
        assert answer.status_code == 400 and 'role="alert"' in answer.text
