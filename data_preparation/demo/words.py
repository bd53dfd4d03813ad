"""The labels of the demo dataset: random digits, and real words of several scripts."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ENGLISH = _list("""
account address amount balance bank bottle bread bridge button camera card cash cheese chicken city client coffee
company contract copy cotton country coupon credit customer date delivery deposit discount district door driver
email engine fabric factory flight flower fruit garden glass gross harbor hotel house import invoice island juice
kitchen label ladder lemon letter license market medium menu meter milk mobile money month morning mountain museum
name night number office orange order owner package paper parcel passport payment pepper phone pocket police price
printer product quality quantity queue receipt record refund region rice river road salt school seat service shirt
signal silver station status stock storage street sugar summer supply table ticket total train transfer travel
unit update value vehicle village visit voucher wagon water weight window winter yellow zero zone
""")

# Real words with stacked marks and SARA AM (U+0E33), which is one code point and stays one.
THAI = _list("""
น้ำ คำ ทำงาน จำ กำลัง สำคัญ ตำบล อำเภอ จังหวัด กรุงเทพ เชียงใหม่ ที่อยู่ ชื่อ นามสกุล เลขที่ ถนน ซอย หมู่ บ้าน
ร้าน ผู้ใหญ่ ผู้หญิง ผู้ชาย เด็ก ที่นี่ เมื่อ เสื้อ เนื้อ ซื้อ มื้อ ชั้น ขึ้น นั้น ทั้ง ตั้ง ครั้ง ปั๊ม ปี่ พี่ หนึ่ง สอง สาม สี่
ห้า หก เจ็ด แปด เก้า สิบ ยี่สิบ ร้อย พัน หมื่น แสน ล้าน บาท สตางค์ วันที่ เดือน ปี มกราคม กุมภาพันธ์ มีนาคม เมษายน
พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม วันจันทร์ อังคาร วันพุธ พฤหัสบดี วันศุกร์ วันเสาร์
อาทิตย์ น้ำตาล น้ำมัน น้ำแข็ง ห้องน้ำ ประจำ จำนวน คำนวณ ตำรวจ สำนักงาน จำกัด ต้มยำ ส้มตำ โรงพยาบาล มหาวิทยาลัย
ก๋วยเตี๋ยว ข้าวผัด กล้วย มะม่วง ไก่ หมู ปลา กุ้ง ผัก เกลือ พริก ประเทศไทย ราคา รวม ใบเสร็จ บริษัท ภาษี ที่ดิน คู่มือ
ด้วย แล้ว ไม่ ใช่ ได้ ให้ ใหม่ เก่า ใหญ่ เล็ก ปู่ ย่า ป้า โต๊ะ เก้าอี้ เปิด ปิด เข้า ออก ซ้าย ขวา รถไฟ สถานี ตลาด
""")

GREEK = _list("""
αγορά αριθμός βιβλίο γάλα γράμμα δρόμος δωμάτιο εισιτήριο έξοδος ζάχαρη ημέρα θάλασσα ιανουάριος καφές κρασί λάδι
λεωφόρος μήνας μουσείο νερό νησί ξενοδοχείο οδός όνομα παραλία πληρωμή πόλη ρολόι σταθμός σύνολο ταξί τιμή τράπεζα
υπηρεσία φάρμακο φως χάρτης χρόνος ψωμί ώρα Αθήνα Θεσσαλονίκη Κρήτη Πάτρα
""")

CYRILLIC = _list("""
адрес аптека билет больница вагон вода вокзал время выход город гостиница дата деньги дом дорога ёлка журнал завод
имя итого касса книга количество кофе лимон магазин месяц молоко музей номер область объект оплата остров паспорт
письмо площадь подъезд поезд почта рубль сахар скидка сумма счёт товар улица фамилия хлеб цена центр чай школа щука
этаж юг яблоко Москва Казань Ярославль
""")

KANA = _list("""
あさひ いちご うみ えき おかね かばん きっぷ くるま けいたい こうえん さくら しお すし せんせい そら たまご ちかてつ
つくえ てがみ とけい なまえ にもつ ぬの ねこ のりもの はな ひこうき ふね へや ほん まど みず むら めがね もり やま ゆき
よる らいねん りんご るす れきし ろうか わたし
アイス インク エアコン カメラ ガラス キロ クラス ケーキ コピー サイズ
シャツ スープ セット タクシー チーズ テスト トマト ナイフ ニュース ネット ノート バス ビル プリン ベルト ホテル
マスク ミルク メニュー モデル ラジオ リスト ルール レシート ロビー ワイン
""")


@dataclass(frozen=True)
class Kind:
    """One kind of label: how to make one, every character it can hold, and a font that draws it."""

    name: str
    label: Callable[[random.Random], str]
    characters: frozenset[str]
    script: str  # for people
    package: str | None = None  # the Debian package with its fonts; None: Pillow carries the font


def _digits(rng: random.Random) -> str:
    return "".join(rng.choice("0123456789") for _ in range(rng.randint(3, 6)))


def _english(rng: random.Random) -> str:
    word = rng.choice(ENGLISH)
    change = rng.choices((str.lower, str.capitalize, str.upper, None), weights=(45, 30, 15, 10))[0]
    if change:
        return change(word)
    return "".join(rng.choice((letter, letter.upper())) for letter in word)


def _words(name: str, words: tuple[str, ...], script: str, package: str) -> Kind:
    return Kind(name, lambda rng: rng.choice(words), frozenset("".join(words)), script, package)


_LATIN = frozenset("abcdefghijklmnopqrstuvwxyz")

KINDS = {
    kind.name: kind
    for kind in (
        Kind("digits", _digits, frozenset("0123456789"), "digits"),
        Kind("english", _english, _LATIN | frozenset(map(str.upper, _LATIN)), "English"),
        _words("thai", THAI, "Thai", "fonts-thai-tlwg"),
        _words("greek", GREEK, "Greek", "fonts-dejavu-core"),
        _words("cyrillic", CYRILLIC, "Cyrillic", "fonts-dejavu-core"),
        _words("kana", KANA, "Japanese kana", "fonts-vlgothic"),
    )
}
