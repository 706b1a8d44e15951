"""What can be wrong with a funnel, said to its seller: a table of both languages, one row per rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grimbots.services.funnels.offer_problems import OFFER_MESSAGES


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
    **OFFER_MESSAGES,
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
    "payer_unasked": (
        "nenhum meio de pagamento seu cobra sem {missing}; pergunte antes da cobrança (answer: {kinds})",
        "none of your payment accounts charges without {missing}; ask for it before the charge (answer: {kinds})",
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
    "bad_seconds": (
        "deve ser de {least} a {most} segundos",
        "must be from {least} to {most} seconds",
    ),
    "bad_minutes": (
        "deve ser de {least} a {most} minutos",
        "must be from {least} to {most} minutes",
    ),
    "bad_rate": (
        "deve ser quantos centavos vale uma Star, de {least} a {most}",
        "must be how many cents a Star is worth, from {least} to {most}",
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
    "address_unshown": (
        "o Telegram não busca {kind} em um endereço; baixe o arquivo e deixe-o ao lado do arquivo do funil",
        "Telegram fetches no {kind} from an address; download the file and put it beside the funnel's",
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
    "unknown_zone": (
        "o fuso horário {zone} não existe; escreva um como America/Sao_Paulo ou America/Manaus",
        "there is no time zone {zone}; write one like America/Sao_Paulo or America/Manaus",
    ),
    "unknown_word": (
        "escolha um destes: {words}",
        "choose one of: {words}",
    ),
    "bad_name": (
        "o nome da variável deve ter só letras, números ou sublinhado, até 40 (por exemplo: cidade)",
        "a variable's name has only letters, digits and underscores, up to 40 (for example: city)",
    ),
    "reserved_name": (
        "{name} já é preenchido pelo sistema; dê outro nome à resposta",
        "{name} is filled by the system already; give the answer another name",
    ),
    "bad_tag": (
        "uma etiqueta tem até 40 letras, números, espaços, pontos ou hífens",
        "a tag has up to 40 letters, digits, spaces, dots or hyphens",
    ),
    "too_many_tags": (
        "use no máximo {limit} etiquetas em um passo",
        "use {limit} tags in a step at most",
    ),
    "no_tags": (
        "este passo não põe nem tira etiqueta nenhuma; preencha add ou remove",
        "this step neither adds nor removes a tag; fill add or remove in",
    ),
    "tag_both_ways": (
        "a etiqueta {tag} é posta e tirada no mesmo passo; deixe só uma das duas",
        "the tag {tag} is added and removed in the same step; keep one of both",
    ),
    "bad_clock": (
        "escreva a hora como 08:30, de 00:00 a 23:59",
        "write the time like 08:30, from 00:00 to 23:59",
    ),
    "no_delay": (
        "a espera não diz quanto: preencha minutes, at ou weekdays",
        "the delay does not say how long: fill in minutes, at or weekdays",
    ),
    "bad_address": (
        "o endereço do seu servidor deve começar com https:// e estar completo",
        "your server's address begins with https:// and is whole",
    ),
    "too_many_values": (
        "envie no máximo {limit} valores",
        "send {limit} values at most",
    ),
    "bad_bound": (
        "deve ser um número inteiro de {least} a {most}",
        "must be a whole number from {least} to {most}",
    ),
    "bad_count": (
        "deve ser de {least} a {most}",
        "must be from {least} to {most}",
    ),
    "option_twice": (
        "duas opções dão a mesma resposta ({value}); mude o value de uma delas",
        "two options give the same answer ({value}); change the value of one",
    ),
    "choice_without_options": (
        "uma pergunta do tipo choice precisa de options: os botões com as respostas",
        "a question with the answer choice needs options: the buttons to answer with",
    ),
    "options_without_choice": (
        'só perguntas do tipo choice têm options; escreva "answer": "choice" ou apague as opções',
        'only questions with the answer choice have options; write "answer": "choice" or delete them',
    ),
    "bound_without_number": (
        'least e most só valem para números; escreva "answer": "number" ou apague-os',
        'least and most are for numbers only; write "answer": "number" or delete them',
    ),
    "bounds_crossed": (
        "o maior número aceito é menor do que o menor; troque least e most",
        "the greatest number taken is under the least; exchange least and most",
    ),
    "tries_without_way": (
        "tries e failed andam juntos: quantas respostas erradas, e para onde ir depois delas",
        "tries and failed go together: how many wrong answers, and where to go after them",
    ),
    "timeout_without_way": (
        "timeout_minutes e timeout andam juntos: quanto esperar, e para onde ir depois",
        "timeout_minutes and timeout go together: how long to wait, and where to go then",
    ),
    "zone_options": (
        "a variável time_zone só aceita choice, com fusos em value, como America/Manaus",
        "the variable time_zone takes only a choice, with time zones as values, like America/Manaus",
    ),
    "case_subject": (
        "cada caso pergunta uma coisa só; use um destes: {subjects}",
        "each case asks one thing; use one of: {subjects}",
    ),
    "case_comparison": (
        "só uma variável é comparada, e de um jeito só: {comparisons}",
        "only a variable is compared, and in one way: {comparisons}",
    ),
    "case_twice": (
        "este caso pergunta o mesmo que o caso {first}, e por isso nunca decide; mude ou apague um deles",
        "this case asks the same as case {first}, so it never decides; change or delete one",
    ),
    "too_many_cases": (
        "use no máximo {limit} casos",
        "use {limit} cases at most",
    ),
    "bad_hours": (
        'escreva o começo e o fim, assim: ["08:00", "18:00"]',
        'write the begin and the end, like ["08:00", "18:00"]',
    ),
    "unknown_offer": (
        "não há oferta {offer} neste funil; escreva o id de um passo offer, bump ou pick",
        "there is no offer {offer} in this funnel; write the id of an offer, bump or pick step",
    ),
    "unknown_variable": (
        "ninguém preenche {name}; use uma pergunta antes, ou uma destas: {known}",
        "nobody fills {name}; ask a question before, or use one of: {known}",
    ),
    "unasked_variable": (
        "chega-se aqui também sem {name} preenchido; dê um valor reserva: {{{{{name}|...}}}}",
        "this is reached without {name}, too; give a fallback: {{{{{name}|...}}}}",
    ),
    "endless_drip": (
        "estas esperas se repetem para sempre, sem saída: {loop}; ponha uma saída no caminho",
        "these delays repeat for ever, with no way out: {loop}; put a way out among them",
    ),
    "offer_without_charge": (
        "quem aceita esta oferta nunca chega a uma cobrança; leve este botão a um passo charge",
        "whoever accepts this offer never comes to a charge; point this button to a charge step",
    ),
    "album_without_text": (
        "o Telegram não mostra botões em álbuns: escreva um text, que vai logo depois com os botões",
        "Telegram shows no buttons on albums: write a text, which follows with the buttons",
    ),
}
