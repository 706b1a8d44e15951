"""What can be wrong with prices, coupons and what follows later: the part of problems.MESSAGES that is theirs."""

from __future__ import annotations

from collections.abc import Mapping

OFFER_MESSAGES: Mapping[str, tuple[str, str]] = {
    "two_prices": (
        "o preço é price_cents ou discount; apague um dos dois",
        "the price is price_cents or discount; delete one of them",
    ),
    "bad_percent": (
        "deve ser de {least} a {most} por cento, em número inteiro",
        "must be from {least} to {most} per cent, a whole number",
    ),
    "discount_of_discount": (
        "{offer} já é um desconto; calcule a partir do passo que tem price_cents",
        "{offer} is a discount itself; take it off the step that has a price_cents",
    ),
    "too_many_coupons": (
        "use no máximo {limit} cupons em um funil",
        "use {limit} coupons in a funnel at most",
    ),
    "coupon_twice": (
        "o cupom {coupon} já existe (maiúsculas e minúsculas não fazem diferença); dê outro código a um deles",
        "there is a coupon {coupon} already (capitals make no difference); give one of them another code",
    ),
    "coupon_worth": (
        "o cupom desconta percent ou amount_cents (em centavos), e só um dos dois",
        "a coupon takes percent or amount_cents (in cents) off, and only one of them",
    ),
    "bad_coupon": (
        "o código tem de 3 a 40 letras sem acento, números, hífens ou sublinhados, como VOLTA10",
        "a code has 3 to 40 letters without accents, digits, hyphens or underscores, like BACK10",
    ),
    "bad_day": (
        "escreva o último dia como 2026-12-31",
        "write the last day like 2026-12-31",
    ),
    "coupon_too_big": (
        "com este cupom o produto mais barato ({price}) ficaria abaixo de {least}, que é o mínimo; diminua o desconto",
        "with this coupon the cheapest product ({price}) would fall below {least}, which is the least; lower it",
    ),
    "discount_too_big": (
        "com este desconto o preço seria {price}, abaixo de {least}, que é o mínimo; diminua o desconto",
        "with this discount the price would be {price}, below {least}, which is the least; lower the discount",
    ),
    "no_coupons": (
        "este passo pede um cupom e o funil não tem nenhum; escreva-os em coupons, ao lado de steps",
        "this step asks for a coupon and the funnel has none; write them in coupons, beside steps",
    ),
    "too_many_nudges": (
        "use no máximo {limit} em um passo",
        "use {limit} in a step at most",
    ),
    "reminder_too_late": (
        "o PIX vence em {minutes} minutos: lembre antes disso, ou aumente expires_in_minutes",
        "the PIX expires in {minutes} minutes: remind before that, or raise expires_in_minutes",
    ),
    "upsell_of_itself": (
        "este upsell oferece o que a pessoa acabou de comprar; leve-o a outra oferta",
        "this upsell offers what the lead has just bought; point it to another offer",
    ),
}
