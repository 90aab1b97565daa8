"""What `import kansym` offers is there, documented, and listed."""

import inspect

import pytest

import kansym


@pytest.mark.parametrize("name", sorted(kansym._PUBLIC))
def test_public_names_exist_and_say_what_they_do(name):
    thing = getattr(kansym, name)
    assert name in dir(kansym)
    assert inspect.getdoc(thing)


def test_other_names_do_not_exist():
    with pytest.raises(AttributeError, match="no attribute 'discovre'"):
        kansym.discovre  # noqa: B018
