"""A PDF of one page whose text can be read out again: a font without glyphs, with a table to Unicode."""

from __future__ import annotations


def write_pdf(text: str) -> bytes:
    """20 characters a line."""
    lines = [text[at : at + 20] for at in range(0, len(text), 20)]
    shown = " T* ".join(f"<{line.encode('utf-16-be').hex()}> Tj" for line in lines)
    page = f"BT /F1 12 Tf 14 TL 40 800 Td {shown} ET".encode()
    table = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /U def /CMapType 2 def"
        " 1 begincodespacerange <0000> <FFFF> endcodespacerange"
        f" {len(set(text))} beginbfchar "
        + " ".join(f"<{ord(char):04X}> <{ord(char):04X}>" for char in sorted(set(text)))
        + " endbfchar endcmap end end"
    ).encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /None /Encoding /Identity-H /DescendantFonts [6 0 R]"
        b" /ToUnicode 7 0 R >>",
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /None /DW 1000 /FontDescriptor 8 0 R"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(table), table),
        b"<< /Type /FontDescriptor /FontName /None /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0"
        b" /Ascent 900 /Descent -100 /CapHeight 900 /StemV 80 >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    table_at = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        table_at,
    )
