"""Writes the outlines of the Chinese characters that plots of a release may need, from a font.

``python docs/glyphs.py NotoSansCJK-Regular.ttc`` with fontTools installed (no dependency of fanwen: needed
only when a genre or a label with a new character comes). A test says when that is so.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTCollection

from fanwen.corpus.plots import GLYPHS, UNITS, characters

FACE = "Noto Sans CJK SC"


def main() -> None:
    """Write the file that corpus/plots.py reads."""
    fonts = TTCollection(sys.argv[1]).fonts
    font = next(one for one in fonts if one["name"].getDebugName(4).startswith(FACE))
    glyphs, names = font.getGlyphSet(), font.getBestCmap()
    scale = UNITS / font["head"].unitsPerEm
    outlines = {}
    for character in sorted(characters()):
        pen = SVGPathPen(glyphs, ntos=lambda value: str(round(value)))
        glyphs[names[ord(character)]].draw(TransformPen(pen, (scale, 0, 0, -scale, 0, 0)))
        outlines[character] = pen.getCommands()
    target = Path(__file__).resolve().parent.parent / "corpus" / GLYPHS
    target.write_text(json.dumps(outlines, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
