"""Where URLs become text: nothing in them that may be secret is shown. Pure.

Secret are the user info (all before the last `@`, as a password may hold slashes), each value (`name=value`), what
follows a value in the path, and the fragment. Scheme, host and path are shown: they say which stream is meant.

Whoever has a URL at hand shows it by `masked_url`. Logs, errors, what `oido check` prints and systemd's status go
through `masked` as a whole, because a URL may stand where nobody expects one: as the broker's host, or as a file.
"""

import re
from urllib.parse import unquote

SECRET = "***"  # noqa: S105 - its replacement

_URL = re.compile(
    r"""(?P<quote>['"])(?P<quoted>[A-Za-z][A-Za-z0-9+.-]*:/.*?)(?P=quote)(?=\W|$)"""  # it may hold spaces
    r"""|[A-Za-z][A-Za-z0-9+.-]*:/\S*?(?=[:;,.)\]'"]*(?:\s|$))"""  # what ends a sentence is no part of it
)
_LEAST_PIECE = 4
"""Characters. A shorter piece of a secret is left alone where it stands by itself: it may be any word."""


def masked_url(url: str) -> str:
    """A URL without its secrets; the path of a file is returned as it is."""
    if url.startswith("/") or url.lower().startswith("file:"):
        return url
    scheme, rest = _split(url)
    user, at, rest = rest.rpartition("@")
    if re.search("[?#=]", user):  # a password with such signs, or a value with an @: who knows?
        return f"{scheme}{SECRET}"
    rest, hash_, _ = rest.partition("#")
    path, mark, query = rest.partition("?")
    path = re.sub("=.*", f"={SECRET}", path, flags=re.DOTALL)
    query = "&".join(_parameter(each) for each in re.split("[&;]", query))
    return f"{scheme}{SECRET * bool(at)}{at}{path}{mark}{query}{hash_}{SECRET * bool(hash_)}"


def masked(text: str) -> str:
    """Text in which URLs may stand, without their secrets."""
    return _URL.sub(_found, text)


def masked_about(text: str, url: str) -> str:
    """What another program said about a URL, which may quote it whole or in pieces, without its secrets."""
    text = text.replace(url, masked_url(url))
    for secret in sorted(_pieces(url), key=len, reverse=True):
        # Not inside of words: a password may be a common one.
        before, after = (r"(?<!\w)" * secret[0].isalnum(), r"(?!\w)" * secret[-1].isalnum())
        text = re.sub(f"{before}{re.escape(secret)}{after}", SECRET, text)
    return masked(text)


def _split(url: str) -> tuple[str, str]:
    """The scheme with its slashes, one or more (a path made of a URL has lost one), and the rest."""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/+", url)
    end = scheme.end() if scheme else 0
    return url[:end], url[end:]


def _found(match: re.Match[str]) -> str:
    if match["quote"]:
        return f"{match['quote']}{masked_url(match['quoted'])}{match['quote']}"
    return masked_url(match[0])


def _parameter(text: str) -> str:
    """One parameter of a query; where it has no name, it is all value."""
    name, equals, _ = text.partition("=")
    return f"{name}={SECRET}" if equals else SECRET * bool(text)


def _pieces(url: str) -> set[str]:
    """What is secret in a URL, whole and cut up as a program may cut it, as written and decoded."""
    user, at, rest = _split(url)[1].rpartition("@")
    values = re.findall(r"=([^&;#]*)", rest)
    bare = [each for each in re.split("[&;]", rest.partition("#")[0].partition("?")[2]) if "=" not in each]
    whole = [user * bool(at), *values, *bare, rest.partition("#")[2]]
    cut = [piece for each in whole for piece in (each, *re.split(r"[:/@?#&;=\s]", each))]
    return {form for piece in cut for form in (piece, unquote(piece)) if len(form) >= _LEAST_PIECE}
