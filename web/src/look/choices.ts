// Languages, countries and time zones to choose from, in the words of the page's language.

import { language } from "../messages/format";

const languages = "ar bg ca cs da de el en es et eu fa fi fr ga gl he hi hr hu id is it ja ko lt lv mk ms mt nb nl pl pt pt-BR ro ru sk sl sq sr sv th tr uk ur vi zh-Hans zh-Hant".split(" ");

const countries =
  "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW".split(
    " ",
  );

export type Choices = [id: string, text: string][];

function named(ids: string[], type: "language" | "region", now: string): Choices {
  const names = new Intl.DisplayNames(language(), { type, fallback: "code" });
  const all = now === "" || ids.includes(now) ? ids : [...ids, now];
  const text = (id: string) => {
    try {
      return names.of(id) ?? id;
    } catch {
      return id; // what is no code of this kind
    }
  };
  return all.map((id): Choices[number] => [id, text(id)]).sort((a, b) => a[1].localeCompare(b[1], language()));
}

/** now: what is chosen, which is among them whatever it is. */
export const languageChoices = (now: string) => named(languages, "language", now);
export const countryChoices = (now: string) => named(countries, "region", now);

export function zoneChoices(now: string): Choices {
  const all = Intl.supportedValuesOf("timeZone");
  return (now === "" || all.includes(now) ? all : [...all, now]).map((id) => [id, id.replaceAll("_", " ")]);
}
