"""Writes train.csv, test.csv and schema.json from the copy of the data that scikit-learn bundles.

    pip install -r ../../examples/medical/requirements.txt
    python make.py

The texts of the values are those of the bundled file, character for character; no value passes through a float.
"""

import csv
import hashlib
import json
from decimal import Decimal
from importlib import resources
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

SEED = 42
TEST_SHARE = 0.3
BUNDLED_SHA256 = "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"
HERE = Path(__file__).resolve().parent


def decimals(text):
    """Number of digits after the decimal point."""
    return len(text.partition(".")[2])


def decimal_text(units, places):
    """The exact text of units / 10**places, with exactly that many decimals."""
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(places + 1, "0")
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def feature(name, train, every):
    """One feature: decimals as in all the data, range as in the training data widened by a quarter each side."""
    places = max(map(decimals, every))
    units = [int(Decimal(text).scaleb(places)) for text in train]
    low, high = min(units), max(units)
    quarter = -(-(high - low) // 4)
    return {
        "name": name,
        "decimals": places,
        "min": decimal_text(low - quarter, places),
        "max": decimal_text(high + quarter, places),
        "unit": None,
        "code": None,
        "system": None,
    }


def write(path, header, rows):
    with open(path, "w", newline="", encoding="ascii") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def main():
    bundled = (resources.files("sklearn.datasets.data") / "breast_cancer.csv").read_bytes()
    assert hashlib.sha256(bundled).hexdigest() == BUNDLED_SHA256, "the bundled file changed"
    lines = list(csv.reader(bundled.decode("ascii").splitlines()))
    classes, rows = lines[0][2:], lines[1:]
    names = [str(name) for name in load_breast_cancer().feature_names]
    labels = [int(row[-1]) for row in rows]
    rows = [row[:-1] + [classes[label]] for row, label in zip(rows, labels, strict=True)]

    train, test = train_test_split(
        np.arange(len(rows)), test_size=TEST_SHARE, stratify=labels, random_state=SEED
    )
    # Within each half the records keep the order of the source.
    train, test = [rows[i] for i in sorted(train)], [rows[i] for i in sorted(test)]
    header = [*names, "diagnosis"]
    write(HERE / "train.csv", header, train)
    write(HERE / "test.csv", header, test)

    features = [
        feature(name, [row[j] for row in train], [row[j] for row in rows])
        for j, name in enumerate(names)
    ]
    schema = {
        "format": "tacit.schema/1",
        "features": features,
        "classes": [{"name": name} for name in classes],
    }
    (HERE / "schema.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="ascii")

    for name, part in (("train", train), ("test", test)):
        counts = {c: sum(row[-1] == c for row in part) for c in classes}
        outside = [
            (i, f["name"], row[j])
            for i, row in enumerate(part)
            for j, f in enumerate(features)
            if not Decimal(f["min"]) <= Decimal(row[j]) <= Decimal(f["max"])
        ]
        print(f"{name}: {len(part)} records {counts}, outside the ranges: {outside}")
    for name in ("train.csv", "test.csv", "schema.json"):
        print(hashlib.sha256((HERE / name).read_bytes()).hexdigest(), name)


if __name__ == "__main__":
    main()
