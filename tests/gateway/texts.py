"""Texts of many kinds, and the tokens that each has in o200k_base when it is repeated with a blank after it."""

from typing import Final

REPEATED: Final = 40
COUNTS: Final[dict[str, int]] = {
    "english prose": 2041,
    "english shouting": 1361,
    "german": 2281,
    "finnish": 2401,
    "french": 1681,
    "polish": 2481,
    "turkish": 2001,
    "vietnamese": 1881,
    "russian": 1881,
    "greek": 2481,
    "arabic": 1801,
    "hebrew": 1722,
    "hindi": 1602,
    "thai": 1920,
    "chinese": 2119,
    "japanese": 2241,
    "korean": 2122,
    "emoji": 2361,
    "python code": 3721,
    "json result": 4121,
    "csv numbers": 4240,
    "hexadecimal": 2920,
    "identifiers": 2921,
    "web addresses": 1921,
    "markdown table": 3121,
    "html": 2640,
    "indented": 801,
    "mathematics": 3280,
}
TEXTS: Final[dict[str, str]] = {
    "english prose": (
        "The parcel that you ordered on Tuesday has left our warehouse and should reach"
        " you within three working days. If nobody is at home, the driver will leave it"
        " with a neighbour, or take it to the nearest shop, where it is kept for a week"
        "."
    ),
    "english shouting": (
        "DEAR CUSTOMER, YOUR ACCOUNT HAS BEEN LOCKED BECAUSE THE PASSWORD WAS WRONG THR"
        "EE TIMES. CALL US BETWEEN NINE AND FIVE, OR WRITE TO THE ADDRESS BELOW."
    ),
    "german": (
        "Die Rechnung für den vergangenen Monat liegt dieser Nachricht bei. Bitte überw"
        "eisen Sie den Betrag innerhalb von vierzehn Tagen, andernfalls müssten wir Ihn"
        "en eine Mahngebühr berechnen. Bei Rückfragen zur Umsatzsteuervoranmeldung steh"
        "t Ihnen unsere Buchhaltung gern zur Verfügung."
    ),
    "finnish": (
        "Tilauksenne on vastaanotettu ja toimitetaan viimeistään ensi viikon keskiviikk"
        "ona. Jos haluatte muuttaa toimitusosoitetta, ottakaa yhteyttä asiakaspalveluum"
        "me ennen lähetyksen luovuttamista kuljetusyritykselle."
    ),
    "french": (
        "Nous avons bien reçu votre demande et nous vous répondrons dès que possible. S"
        "i l'article est arrivé abîmé, veuillez joindre quelques photographies afin que"
        " nous puissions l'échanger sans frais supplémentaires."
    ),
    "polish": (
        "Dziękujemy za zgłoszenie usterki. Nasz serwisant skontaktuje się z Państwem w "
        "ciągu dwóch dni roboczych, żeby ustalić dogodny termin naprawy pralki i wyceni"
        "ć ewentualną wymianę części."
    ),
    "turkish": (
        "Siparişiniz kargoya verilmiştir ve üç iş günü içinde adresinize ulaştırılacakt"
        "ır. Teslimat sırasında evde bulunamayacaksanız, lütfen müşteri hizmetlerimizi "
        "arayarak yeni bir gün belirleyiniz."
    ),
    "vietnamese": (
        "Chúng tôi đã nhận được yêu cầu của bạn và sẽ trả lời trong thời gian sớm nhất."
        " Nếu sản phẩm bị hỏng khi giao hàng, vui lòng gửi kèm vài tấm ảnh để chúng tôi"
        " đổi cho bạn."
    ),
    "russian": (
        "Ваш заказ передан в службу доставки и будет у вас в течение трёх рабочих дней."
        " Если вас не окажется дома, курьер оставит посылку в ближайшем пункте выдачи, "
        "где она хранится неделю."
    ),
    "greek": (
        "Η παραγγελία σας έφυγε από την αποθήκη μας και θα σας παραδοθεί μέσα σε τρεις "
        "εργάσιμες ημέρες. Αν δεν βρίσκεστε στο σπίτι, ο διανομέας θα αφήσει το δέμα στ"
        "ο πλησιέστερο κατάστημα."
    ),
    "arabic": (
        "لقد استلمنا طلبك وسوف نرد عليك في أقرب وقت ممكن. إذا وصل المنتج تالفا فيرجى إر"
        "فاق بعض الصور حتى نتمكن من استبداله لك دون أي تكلفة إضافية."
    ),
    "hebrew": (
        "ההזמנה שלך יצאה מהמחסן שלנו ותגיע אליך בתוך שלושה ימי עסקים. אם לא תהיה בבית, "
        "השליח ישאיר את החבילה אצל שכן או בחנות הקרובה."
    ),
    "hindi": (
        "आपका आदेश हमारे गोदाम से निकल चुका है और तीन कार्य दिवसों के भीतर आपके पास पहु"
        "ँच जाएगा। यदि घर पर कोई नहीं होगा, तो पार्सल पास की दुकान में रखा जाएगा।"
    ),
    "thai": (
        "คำสั่งซื้อของคุณออกจากคลังสินค้าแล้ว และจะถึงมือคุณภายในสามวันทำการ หากไม่มีใครอยู่บ้าน พนักงานจะฝากพัสดุไว้กับร้านค้าที่ใกล้ที่สุด"
    ),
    "chinese": (
        "您的订单已经从仓库发出，预计三个工作日内送达。如果家里没有人，快递员会把包裹放"
        "在最近的便利店，保留一个星期。请带上身份证件前去领取。"
    ),
    "japanese": (
        "ご注文の商品は倉庫から発送されました。三営業日以内にお届けする予定です。ご不在"
        "の場合は、最寄りの店舗で一週間お預かりいたしますので、身分証明書をお持ちくださ"
        "い。"
    ),
    "korean": (
        "주문하신 상품이 창고에서 출고되었으며 영업일 기준 사흘 안에 도착할 예정입니다."
        " 댁에 아무도 안 계시면 가까운 편의점에 일주일 동안 보관해 드립니다."
    ),
    "emoji": ("🎉🎉 done! 👍🏽 👨‍👩‍👧‍👦 see you at 🏖️ tomorrow 😀😃😄 🚀🔥💯 ❤️‍🔥 🇩🇪🇫🇷🇯🇵 ✅❌⚠️"),
    "python code": (
        "async def reserved(self, rule, take):\n    journal, clock = self._journal, self"
        "._clock\n    until_us = clock.now_us() + round(min(rule.timeout_s, self._gate.s"
        "econds_left()) * US_PER_S)\n    while True:\n        exceeded = await journal.da"
        "tabase.write(take, fence=journal.fence)\n        if exceeded is None or clock.n"
        "ow_us() >= until_us:\n            return exceeded\n        await asyncio.sleep(w"
        "ait_s)\n"
    ),
    "json result": (
        '{"order_id":"W2378156","user_id":"yusuf_rossi_9620","items":[{"name":"Headphon'
        'es","product_id":"6992792935","item_id":"4202497723","price":342.81,"options":'
        '{"type":"over-ear","connectivity":"wireless","color":"blue"}},{"name":"Vacuum '
        'Cleaner","product_id":"1762337868","item_id":"4602305039","price":561.05}],"st'
        'atus":"delivered"}'
    ),
    "csv numbers": (
        "2024-03-01;10492;0.8831;-12.50;7\n2024-03-02;10511;0.8790;-9.75;12\n2024-03-03;1"
        "0498;0.9012;3.10;5\n2024-03-04;10603;0.8644;18.25;9\n2024-03-05;10588;0.8702;-0."
        "40;11\n"
    ),
    "hexadecimal": (
        "3f9a1c77e0b54d2f8c6e91aa04b7d35e 9b2e6f01c8d34a7795e1f0bb62c4a8d0 d41d8cd98f00b204e9800998ecf8427e"
    ),
    "identifiers": (
        "usr_8QpZr2LxWm4TnVb7 ord_kJ5hGf3DsA9yTeRw tok_Zx1Cv6Bn8MqWe4Rt sig_pL0oKi9JuHy"
        "GtFrD sess_V3bN7mQ1wE5rT9yU"
    ),
    "web addresses": (
        "https://shop.example.com/orders/2024/03/W2378156?utm_source=mail&utm_campaign="
        "spring-sale&ref=9f8e7d https://cdn.example.net/img/p/6992792935_large.webp"
    ),
    "markdown table": (
        "| item | price | left |\n|------|------:|-----:|\n| over-ear headphones | 342.81"
        " | 3 |\n| vacuum cleaner | 561.05 | 12 |\n| water bottle, 750 ml | 19.90 | 240 |"
        "\n\n- **Returns**: within *30 days*\n- `refund()` takes 3-5 days\n"
    ),
    "html": (
        '<div class="card"><h2 id="t1">Water bottle</h2><p>Holds <b>750&nbsp;ml</b>.</p'
        '><ul><li>steel</li><li>dishwasher safe</li></ul><a href="/p/99">more</a></div>'
        "\n"
    ),
    "indented": (
        "\n        \n            if (x) {\n                return\n            }\n\n\n        "
        "                else {\n                                y()\n                   "
        "     }\n"
    ),
    "mathematics": (
        "∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−f(a)|<ε;  ∑_{k=1}^{n} k² = n(n+1)(2n+1)/6,  ∫₀^∞ e^"
        "{−x²} dx = √π/2,  α≤β≠γ"
    ),
}
