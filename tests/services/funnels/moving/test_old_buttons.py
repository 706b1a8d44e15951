"""callback_data of messages sent before the move: every format, whose price is never believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.check import check
from grimbots.services.funnels.events import TappedOld
from grimbots.services.funnels.moving.funnels import move
from grimbots.services.funnels.old_buttons import list_names
from grimbots.tests.services.funnels.moving.transcripts import CHAT, Transcript, read_moved
from grimbots.tests.services.funnels.samples import NOW, make_funnel, make_walk

OTHER = "Este botão é de uma mensagem antiga e não vale mais. Estas são as ofertas de agora 👇"


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ("buy_0", ("buy_0", "other")),
        ("bump_yes_2", ("bump_yes_2", "other")),
        ("bump_no_2", ("bump_no_2", "other")),
        (f"multi_bump_yes_{CHAT}_1_4740", ("multi_bump_yes_1", "other")),
        ("multi_bump_yes_999_1_4740", ()),
        ("verify_BOT7_1762000000_a1b2c3d4", ("verify", "other")),
        ("downsell_1_997_0", ("downsell_1_0", "downsell_1", "other")),
        ("downsell_1_0_997_0", ("downsell_1_0", "downsell_1", "other")),
        ("dwnsl_1_0_997", ("downsell_1_0", "downsell_1", "other")),
        ("downsell_bump_yes_0_1997", ("downsell_bump_yes_0", "other")),
        ("downsell_bump_no_0_-1", ("downsell_bump_no_0", "other")),
        ("upsell_0_9700_0", ("upsell_0_0", "upsell_0", "other")),
        ("rmkt_12_0", ("other",)),
        ("rmk_0cc175b9c0f1b6a831c399e269772661", ("other",)),
        ("flow_step_step_3_btn_1", ("flow_step_3_1", "flow_step_step_3_1", "other")),
        ("flow_step_3_btn_1", ("flow_3_1", "flow_step_3_1", "other")),
        ("flow_a1_0", ("flow_a1_0", "other")),
        ("button_pressed", ()),
        ("support", ()),
        ("buy_", ()),
        ("buy_-1", ()),
        ("buy_٣", ()),
        ("v1:inicio:0:abcdefghijkl", ()),
        ("", ()),
    ],
)
def test_list_names_knows_every_format(data: str, names: tuple[str, ...]) -> None:
    assert list_names(data, CHAT) == names


@pytest.mark.parametrize(
    ("funnel", "data", "amount_cents", "offers"),
    [
        ("novembro", "buy_1", 990, ["produto-2"]),
        ("novembro", "bump_yes_0", 2497, ["produto-1", "bump-1-1"]),
        ("novembro", "bump_no_0", 1997, ["produto-1"]),
        ("sequencia", "downsell_1_1_0", 1495, ["downsell-2-1"]),
        ("sequencia", "downsell_1_0_1_0", 1495, ["downsell-2-1"]),
        ("sequencia", "dwnsl_1_0_1", 1495, ["downsell-2-1"]),
        ("sequencia", "downsell_bump_yes_0_1", 1997, ["downsell-1-1", "bump-downsell-1-1-1"]),
        ("sequencia", "downsell_bump_no_0_1", 1497, ["downsell-1-1"]),
        ("sequencia", "upsell_0_1_0", 9700, ["upsell-1-1"]),
    ],
)
def test_old_button_sells_at_the_funnels_price(funnel: str, data: str, amount_cents: int, offers: list[str]) -> None:
    chat = Transcript(read_moved(funnel))
    chat.tap_old(data)
    (charge,) = chat.payments
    assert (charge.amount_cents, [item.offer for item in charge.items]) == (amount_cents, offers)


def test_old_bump_button_without_its_session_goes_on_with_the_next_bump() -> None:
    chat = Transcript(read_moved("sequencia"))
    chat.tap_old(f"multi_bump_yes_{CHAT}_0_1")
    assert chat.lines[-1] == "E as planilhas? [✅ SIM! Quero por R$ 47,40 | ❌ NÃO, continuar com R$ 39,90]"


def test_later_old_bump_button_asks_again_for_what_was_accepted_is_not_known() -> None:
    chat = Transcript(read_moved("sequencia"))
    chat.tap_old(f"multi_bump_no_{CHAT}_1_3990")
    assert chat.lines[-1] == "Mais o grupo de dúvidas? [Quero! | Agora não]"


@pytest.mark.parametrize("data", ["buy_2", "buy_99", "rmkt_4_0", "downsell_7_1_0", "upsell_2_1000_0", "flow_x_1"])
def test_old_button_of_what_is_gone_answers_in_words_and_shows_what_there_is(data: str) -> None:
    chat = Transcript(read_moved("novembro"))
    chat.tap_old(data)
    menu = "[🎂 Curso por R$ 19,97 | 📖 Só o livro | Meu canal → https://t.me/bolosdalia]"
    assert chat.lines == [f"> {data}", f"{OTHER} {menu}"]


def test_old_verify_button_says_that_the_old_pix_cannot_be_seen_here() -> None:
    chat = Transcript(read_moved("novembro"))
    chat.tap_old("verify_BOT7_1762000000_a1b2c3d4")
    assert chat.lines[-1].startswith("Este PIX foi gerado antes da nossa mudança de sistema")
    assert chat.payments == []


def test_old_flow_button_leads_to_its_step() -> None:
    chat = Transcript(read_moved("fluxo"))
    chat.tap_old("flow_step_step_3_btn_1")
    assert chat.lines[-1] == "Escreva: preço ou prazo?"


def test_old_button_pressed_twice_at_once_acts_once() -> None:
    version, walk = read_moved("novembro"), make_walk()
    walk, first = advance(version, walk, TappedOld("other"), NOW)
    assert (len(first), advance(version, walk, TappedOld("other"), NOW)[1]) == (1, ())


def test_check_finds_old_buttons_that_lead_nowhere_or_sell_nothing() -> None:
    buttons = {"buy_0": {"to": "nada"}, "bump_yes_0": {"to": "charge", "takes": ["welcome"]}, "x": {"go": "offer"}}
    places = {problem.field for problem in check({**make_funnel(), "old_buttons": buttons}, {"welcome.png": b"x"})}
    assert {"old_buttons.x.go"} <= places
    del buttons["x"]
    problems = check({**make_funnel(), "old_buttons": buttons}, {"welcome.png": b"x"})
    assert {"old_buttons.buy_0.to", "old_buttons.bump_yes_0.takes"} <= {problem.field for problem in problems}


def test_check_finds_old_buttons_that_deliver_or_charge_for_nothing() -> None:
    free = {"verify": {"to": "delivery"}, "buy_0": {"to": "charge"}}
    steps = {problem.step for problem in check({**make_funnel(), "old_buttons": free}, {"welcome.png": b"x"})}
    assert {"delivery", "charge"} <= steps


KINDS = ("buy", "bump_yes", "multi_bump_no", "downsell", "downsell_bump_yes", "dwnsl", "upsell", "rmkt", "flow", "x")
FORMED = st.builds(
    lambda kind, parts: "_".join([kind, *parts]),
    st.sampled_from(KINDS),
    st.lists(st.one_of(st.integers(-5, 10**13).map(str), st.text(max_size=8)), max_size=5),
)


@given(data=st.one_of(FORMED, st.text(max_size=64)), chat_id=st.integers(1, 2**53))
def test_any_data_leads_to_a_step_of_this_funnel_or_nowhere(data: str, chat_id: int) -> None:
    version = read_moved("sequencia")
    for name in list_names(data, chat_id):
        walk, effects = advance(version, make_walk(), TappedOld(name), NOW)
        assert walk.step in {"", *version.steps}
        for effect in effects:
            prices = [version.steps[item.offer].sells() for item in getattr(effect, "items", ())]
            assert list(getattr(effect, "items", ())) == prices


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
BUTTON_FIELDS = ("text", "price", "description", "order_bumps", "order_bump", "subscription", "url", "enabled")
OFFER_FIELDS = ("message", "price", "pricing_mode", "discount_percentage", "order_bump", "trigger_product")
STEP_FIELDS = ("id", "type", "config", "connections", "conditions", "order", "delay_seconds", "target_step")
TYPES = st.sampled_from(["content", "message", "payment", "access", "buttons", "text_validation", "percentage", "1", 1])


def make_objects(names: tuple[str, ...]) -> st.SearchStrategy[object]:
    """Give lists of objects with some of these fields, whatever is in them."""
    return st.lists(st.dictionaries(st.sampled_from(names), st.one_of(JSON, TYPES), max_size=5), max_size=3)


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "welcome_message": JSON,
        "welcome_media_url": st.one_of(JSON, st.just("https://example.com/a.mp4")),
        "main_buttons": st.one_of(JSON, make_objects(BUTTON_FIELDS)),
        "redirect_buttons": st.one_of(JSON, make_objects(BUTTON_FIELDS)),
        "downsells_enabled": JSON,
        "downsells": st.one_of(JSON, make_objects(OFFER_FIELDS)),
        "upsells_enabled": st.just(True),
        "upsells": st.one_of(JSON, make_objects(OFFER_FIELDS)),
        "access_link": JSON,
        "success_message": JSON,
        "pending_message": JSON,
        "flow_enabled": st.booleans(),
        "flow_steps": st.one_of(JSON, make_objects(STEP_FIELDS)),
        "flow_start_step_id": JSON,
    },
)


@given(raw=st.one_of(JSON, SETTINGS))
def test_any_settings_become_a_funnel_without_mistakes(raw: object) -> None:
    moved = move(raw)
    assert [str(problem) for problem in check(moved.definition, {})] == []
    assert all(remark.describe(language) for remark in moved.remarks for language in ("pt-BR", "en"))
