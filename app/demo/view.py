"""The demo on a terminal: the pipeline's numbers on the left, one person's list on the right."""

import time

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from app.demo.report import freshness_of
from app.demo.watch import Place, Watch

_LIST_LENGTH = 12
_TARGET_MS = 50


class LiveView:
    """Renders a `Watch` whenever rich asks; `headline` says what stands behind it (Kafka, model)."""

    def __init__(self, watch: Watch, headline: str) -> None:
        self._watch = watch
        self._headline = headline

    def __rich__(self) -> RenderableType:
        layout = Layout()
        layout.split_column(Layout(name="head", size=3), Layout(name="body"))
        layout["head"].update(Panel(Text(self._headline, overflow="ellipsis", no_wrap=True), title="riverrun"))
        layout["body"].split_row(Layout(name="numbers", ratio=2), Layout(name="person", ratio=5))
        layout["numbers"].update(Panel(self._numbers(), title="pipeline"))
        layout["person"].update(Panel(self._person(), title=f"visitor {self._watch.person.user_id}"))
        return layout

    def _numbers(self) -> RenderableType:
        watch = self._watch
        elapsed_s = max(time.perf_counter() - watch.started_s, 1e-3)
        freshness = freshness_of(watch.ledger.freshness_s)
        table = Table.grid(padding=(0, 1))
        table.add_column(justify="left", style="dim")
        table.add_column(justify="right")
        table.add_row("events", f"{watch.sent:,} of {watch.total:,}")
        table.add_row("events/s", f"{watch.sent / elapsed_s:,.0f}")
        table.add_row("accepted", f"{watch.accepted:,}")
        table.add_row("rejected", f"{watch.rejected:,}", style="red" if watch.rejected else "")
        table.add_row("lag", f"{watch.lag:,}")
        table.add_row("lists", f"{watch.ledger.lists_seen:,}")
        table.add_row("", "")
        table.add_row("click to list", "")
        table.add_row("  p50", Text(f"{freshness.p50:.0f} ms", style="green" if freshness.p50 < _TARGET_MS else "red"))
        table.add_row("  p95", f"{freshness.p95:.0f} ms")
        table.add_row("  p99", f"{freshness.p99:.0f} ms")
        table.add_row("", "")
        table.add_row("next film in top 10", "")
        table.add_row("  these lists", Text(f"{watch.lists.hit_rate:.1%}", style="bold green"))
        table.add_row("  popular films", f"{watch.popularity.hit_rate:.1%}")
        return Group(ProgressBar(total=watch.total, completed=watch.sent), Text(), table)

    def _person(self) -> RenderableType:
        person = self._watch.person
        deeds = Table.grid(padding=(0, 1))
        for deed in person.deeds:
            deeds.add_row(Text("★ was on the list" if deed.hit else "", style="green"), deed.words)
        places = Table(box=None, padding=(0, 1), expand=True)
        places.add_column("", justify="right", width=3, style="dim")
        places.add_column("", width=4)
        places.add_column("for this visitor now", ratio=5, no_wrap=True)
        places.add_column("score", justify="right", width=6)
        places.add_column("why", ratio=5, style="dim", no_wrap=True)
        for rank, place in enumerate(person.places[:_LIST_LENGTH], 1):
            reason = f"{place.item.reason} ({place.item.source})"
            places.add_row(str(rank), _moved(place), place.title, f"{place.item.score:.2f}", reason)
        return Group(deeds, Text(), places)


def _moved(place: Place) -> Text:
    if place.moved is None:
        return Text("new", style="bold green")
    if place.moved == 0:
        return Text()
    return Text(f"▲{place.moved}", style="green") if place.moved > 0 else Text(f"▼{-place.moved}", style="red")
