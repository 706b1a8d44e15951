"""What can be wrong with a funnel, said to its seller: a table of both languages, one row per rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    The step ("" for the funnel itself), the field in it ("" for the step itself) and a sentence to act on.
    """

    step: str
    field: str
    message: str

    def __str__(self) -> str:
        place = ".".join(part for part in (self.step, self.field) if part)
        return f"{place}: {self.message}" if place else self.message


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule before it is put into words: `code` is a key of MESSAGES, `facts` fill its sentence."""

    field: str
    code: str
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    step: str = ""


def describe(finding: Finding, language: str) -> Problem:
    """Put a finding into words of `language` (pt-BR or en)."""
    portuguese, english = MESSAGES[finding.code]
    sentence = portuguese if language == "pt-BR" else english
    return Problem(finding.step, finding.field, sentence.format(**finding.facts))


MESSAGES: Mapping[str, tuple[str, str]] = {
    "not_object": (
        "deve ser um objeto JSON, entre chaves",
        "must be a JSON object, in braces",
    ),
    "not_list": (
        "deve ser uma lista, entre colchetes",
        "must be a list, in brackets",
    ),
    "not_text": (
        "deve ser um texto, entre aspas",
        "must be a text, in quotes",
    ),
    "bad_text": (
        "tem um caractere que não pode ser guardado (NUL ou metade de um emoji); escreva o texto de novo",
        "holds a sign that cannot be stored (NUL, or half an emoji); write the text again",
    ),
    "not_whole": (
        "deve ser um número inteiro, sem aspas",
        "must be a whole number, without quotes",
    ),
    "not_switch": (
        "deve ser true ou false, sem aspas",
        "must be true or false, without quotes",
    ),
    "missing": (
        "está faltando; preencha este campo",
        "is missing; fill this field in",
    ),
    "unknown_field": (
        "este campo não existe aqui; confira o nome ou apague-o",
        "there is no such field here; check its name or delete it",
    ),
    "unknown_kind": (
        "o tipo {kind} não existe; use um destes: {kinds}",
        "there is no kind {kind}; use one of: {kinds}",
    ),
    "unknown_language": (
        "use um destes idiomas: {languages}",
        "use one of these languages: {languages}",
    ),
    "bad_id": (
        "o id deve ter só letras, números, hífen ou sublinhado (por exemplo: boas-vindas)",
        "an id has only letters, digits, hyphens and underscores (for example: welcome)",
    ),
    "duplicate_id": (
        "há mais de um passo com este id; dê um nome diferente a cada um",
        "more than one step has this id; give each its own",
    ),
    "no_steps": (
        "o funil não tem nenhum passo",
        "the funnel has no steps",
    ),
    "unknown_target": (
        "leva ao passo {target}, que não existe",
        "leads to the step {target}, which does not exist",
    ),
    "unreachable": (
        "nenhum caminho leva a este passo; ligue um botão ou um next a ele, ou apague-o",
        "no way leads to this step; point a button or a next to it, or delete it",
    ),
    "endless": (
        "estes passos se repetem sem parar: {loop}; coloque um botão no meio do caminho",
        "these steps repeat for ever: {loop}; put a button on the way",
    ),
    "charge_without_delivery": (
        "depois do pagamento nada é entregue; ligue next a um passo delivery, sem botões no caminho",
        "nothing is delivered after the payment; point next to a delivery step, with no button on the way",
    ),
    "charge_without_offer": (
        "chega-se aqui sem ter aceitado uma oferta; passe antes por um passo offer",
        "this is reached without an accepted offer; go through an offer step first",
    ),
    "free_delivery": (
        "chega-se à entrega sem pagar; só o next de um passo charge pode levar a ela",
        "the delivery is reached without paying; only the next of a charge step may lead to it",
    ),
    "text_too_long": (
        "o texto pode chegar a {units} caracteres depois de preenchido; o Telegram aceita até {limit}",
        "the text can grow to {units} characters once filled in; Telegram takes {limit}",
    ),
    "caption_too_long": (
        "a legenda pode chegar a {units} caracteres depois de preenchida; o Telegram aceita até {limit}",
        "the caption can grow to {units} characters once filled in; Telegram takes {limit}",
    ),
    "text_empty": (
        "o texto fica vazio quando faltam os dados usados nele; dê um valor reserva: {{{{first_name|amigo}}}}",
        "the text is empty where the data it uses is missing; give a fallback: {{{{first_name|friend}}}}",
    ),
    "tag_unknown": (
        "o Telegram não conhece {sign}; use <b>, <i>, <u>, <s>, <code>, <a href>... ou escreva < como &lt;",
        "Telegram does not know {sign}; use <b>, <i>, <u>, <s>, <code>, <a href>... or write < as &lt;",
    ),
    "tag_unclosed": (
        "a formatação {sign} foi aberta e não foi fechada",
        "the formatting {sign} was opened and not closed",
    ),
    "tag_crossed": (
        "a formatação {sign} fecha algo que não estava aberto, ou na ordem errada",
        "the formatting {sign} closes what was not open, or in the wrong order",
    ),
    "stray_sign": (
        "há um sinal {sign} solto no texto; escreva-o como &lt;",
        "there is a loose {sign} in the text; write it as &lt;",
    ),
    "too_many_buttons": (
        "são {count} botões; use no máximo {limit}",
        "there are {count} buttons; use {limit} at most",
    ),
    "button_without_action": (
        "o botão precisa de next (um passo) ou de url (um link), e só de um deles",
        "the button needs a next (a step) or a url (a link), and only one of them",
    ),
    "callback_too_long": (
        "o id do passo é longo demais para os botões dele: {bytes} bytes de {limit}; escolha um id mais curto",
        "the step's id is too long for its buttons: {bytes} bytes of {limit}; choose a shorter id",
    ),
    "next_with_buttons": (
        "um passo com botões espera o toque da pessoa; apague next ou os botões que levam a outros passos",
        "a step with buttons waits for a tap; delete next, or the buttons that lead to steps",
    ),
    "bad_url": (
        "o link deve começar com https://, http:// ou tg:// e ter um endereço completo, sem espaços",
        "a link begins with https://, http:// or tg:// and holds a whole address, without spaces",
    ),
    "bad_price": (
        "o preço é em centavos, de {least} a {most} (1990 é R$ 19,90)",
        "the price is in cents, from {least} to {most} (1990 is R$ 19.90)",
    ),
    "bad_minutes": (
        "deve ser de {least} a {most} minutos",
        "must be from {least} to {most} minutes",
    ),
    "bad_group": (
        "deve ser o id do grupo ou canal, um número negativo como -1001234567890; a página Bots mostra os ids",
        "must be the group's or channel's id, a negative number like -1001234567890; the page Bots shows the ids",
    ),
    "bad_days": (
        "deve ser de {least} a {most} dias",
        "must be from {least} to {most} days",
    ),
    "too_many_days": (
        "use no máximo {limit} lembretes",
        "use {limit} reminders at most",
    ),
    "not_one_of": (
        "use um destes: {words}",
        "use one of: {words}",
    ),
    "code_missing": (
        "o texto precisa mostrar o código PIX: escreva {{{{code}}}} nele",
        "the text has to show the PIX code: write {{{{code}}}} in it",
    ),
    "nothing_delivered": (
        "a entrega precisa de text, de link ou de um arquivo",
        "a delivery needs a text, a link or a file",
    ),
    "nothing_said": (
        "a mensagem precisa de text, ou de algo para mostrar (photo, video, audio...)",
        "a message needs a text, or something to show (photo, video, audio...)",
    ),
    "two_media": (
        "um passo mostra uma coisa só e já tem {first}; apague um dos dois, ou use album para várias fotos e vídeos",
        "a step shows one thing and has a {first} already; delete one, or use album for several photos and videos",
    ),
    "file_missing": (
        "o arquivo {name} não foi encontrado ao lado do arquivo do funil",
        "the file {name} was not found beside the funnel's file",
    ),
    "file_name": (
        "escreva só o nome do arquivo, sem pastas; ele fica ao lado do arquivo do funil",
        "write only the file's name, without folders; it lies beside the funnel's file",
    ),
    "file_empty": (
        "o arquivo está vazio; copie-o de novo",
        "the file is empty; copy it again",
    ),
    "file_kind": (
        "o conteúdo deste arquivo não serve aqui; use {formats} (mudar só a extensão do nome não converte o arquivo)",
        "what this file holds cannot be shown here; use {formats} (renaming a file does not convert it)",
    ),
    "file_too_big": (
        "o arquivo tem mais de {limit} MB, o limite do Telegram",
        "the file is over {limit} MB, Telegram's limit",
    ),
    "photo_shape": (
        "a foto tem {width} × {height} pixels; os lados somam até 10000, e um tem até 20 vezes o outro",
        "the picture has {width} × {height} pixels; both sides add up to 10000, and one is up to 20 times the other",
    ),
    "album_size": (
        "o álbum tem {count} itens; use de {least} a {most}",
        "the album has {count} items; use {least} to {most}",
    ),
    "album_item": (
        'cada item do álbum é um arquivo só, como {{"photo": "a.jpg"}}; use photo, video, audio ou document',
        'each item of an album is one file, like {{"photo": "a.jpg"}}; use photo, video, audio or document',
    ),
    "album_mixed": (
        "um álbum junta fotos e vídeos, ou só áudios, ou só documentos; separe os outros em outro passo",
        "an album has photos and videos, or audios only, or documents only; put the others in another step",
    ),
    "album_too_big": (
        "os arquivos do álbum somam mais de {limit} MB, o limite do Telegram; diminua-os ou divida o álbum",
        "the album's files are over {limit} MB together, Telegram's limit; make them smaller or split the album",
    ),
    "album_without_text": (
        "o Telegram não mostra botões em álbuns: escreva um text, que vai logo depois com os botões",
        "Telegram shows no buttons on albums: write a text, which follows with the buttons",
    ),
}
