"""The language of a piece: by counting scripts, and by langdetect only where that leaves doubt."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from fanwen.cleaners import chars

_KANA = re.compile(r"[぀-ヿ]")
_HANGUL = re.compile(r"[가-힯ᄀ-ᇿ]")
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
_PROFILES = ("zh-cn", "zh-tw", "en", "vi", "fr", "de", "es", "ja", "ko", "id")


def detect(text: str) -> str:
    """BCP 47 code (``zh``, ``en``, ``ja`` …), ``und`` where there is nothing to judge by."""
    han = chars.han(text)
    if han >= 0.85 * len(text) > 4:  # whatever the rest is
        return "zh"
    kana, hangul, latin = (len(script.findall(text)) for script in (_KANA, _HANGUL, _LATIN))
    # a letter of a word says less than a character
    letters = han + kana + hangul + latin / 4
    if letters < 5:
        return "und"
    if hangul > 0.2 * letters:
        return "ko"
    if kana > 0.1 * letters:
        return "ja"
    if han > 0.6 * letters:
        return "zh"
    return _guess(text[:300])


def _guess(text: str) -> str:
    from langdetect.lang_detect_exception import LangDetectException

    detector = _factory().create()
    detector.append(text)
    try:
        code = str(detector.detect())
    except LangDetectException:
        return "und"
    return "zh" if code.startswith("zh") else "und" if code == "unknown" else code


@cache
def _factory() -> Any:
    """A factory of our own: langdetect's is global and seeded by chance."""
    import langdetect
    from langdetect.detector_factory import DetectorFactory

    factory = DetectorFactory()
    folder = Path(langdetect.__file__).parent / "profiles"
    factory.load_json_profile([(folder / name).read_text(encoding="utf-8") for name in _PROFILES])
    factory.set_seed(0)
    return factory
