"""What the architecture tests look at: the project's own files."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("miniqmt", "trading", "grid", "monitoring")
PURE_PACKAGES = ("trading/domain", "grid/domain")
PURE_MODULES = ("trading/ports.py", "trading/errors.py", "monitoring/health.py")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that is or would be committed; none where there is no git."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    names = listing.stdout.split("\0") if listing.returncode == 0 else ()
    return tuple(sorted(path for name in names if name and (path := ROOT / name).is_file()))


def python_files(*folders: str) -> list[Path]:
    """The Python files below the folders, migrations left out: nobody writes those by hand."""
    roots = [ROOT / folder for folder in folders]
    files = (path for root in roots for path in ([root] if root.is_file() else root.rglob("*.py")))
    return sorted(path for path in files if "migrations" not in path.parts)


def pure_files() -> list[Path]:
    return python_files(*PURE_PACKAGES, *(name for name in PURE_MODULES if (ROOT / name).exists()))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def tree_of(path: Path) -> ast.Module:
    """As `parsed`, kept while the tests of this folder run."""
    return parsed(path)


@cache
def nodes_of(tree: ast.AST) -> tuple[ast.AST, ...]:
    """What `ast.walk` yields, walked once: a hundred tests look through the same trees."""
    return tuple(ast.walk(tree))


@cache
def code() -> dict[str, ast.Module]:
    """The product's own files."""
    return {name_of(path): tree_of(path) for path in python_files("manage.py", *APPS)}


def forget() -> None:
    """Give back what the trees take: millions of objects, which every later test would drag along."""
    for kept in (tree_of, nodes_of, code):
        kept.cache_clear()
