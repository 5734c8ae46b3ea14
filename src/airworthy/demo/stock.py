"""What the shop sells, what it promises and whom it may serve, as constants; knows no database."""

from typing import Final, NamedTuple

# Name, category, price in cents before the seeded variation. Names are plain words and unique, so that a
# letter can name a product without an article number.
PRODUCTS: Final = (
    ("Harbour Mug", "kitchen", 1290),
    ("Linen Apron", "kitchen", 3450),
    ("Walnut Board", "kitchen", 4890),
    ("Copper Kettle", "kitchen", 8900),
    ("Enamel Bowl", "kitchen", 1590),
    ("Bread Knife", "kitchen", 2790),
    ("Pepper Mill", "kitchen", 3290),
    ("Tea Strainer", "kitchen", 890),
    ("Oak Tray", "kitchen", 3990),
    ("Salt Cellar", "kitchen", 1190),
    ("Fern Notebook", "paper", 950),
    ("Harbour Notebook", "paper", 1150),
    ("Brass Pen", "paper", 3600),
    ("Letter Set", "paper", 1490),
    ("Desk Calendar", "paper", 1890),
    ("Wax Seal Kit", "paper", 2490),
    ("Pencil Roll", "paper", 2190),
    ("Map Print", "paper", 2900),
    ("Wool Blanket", "home", 11900),
    ("Cotton Throw", "home", 5900),
    ("Reading Lamp", "home", 7490),
    ("Wall Clock", "home", 6490),
    ("Beeswax Candle", "home", 1690),
    ("Door Mat", "home", 2990),
    ("Plant Stand", "home", 5490),
    ("Clay Vase", "home", 2690),
    ("Laundry Basket", "home", 4490),
    ("Coat Hook", "home", 1390),
    ("Feather Pillow", "home", 6900),
    ("Garden Trowel", "garden", 1990),
    ("Watering Can", "garden", 3790),
    ("Seed Box", "garden", 2390),
    ("Pruning Shears", "garden", 4290),
    ("Bird Feeder", "garden", 3190),
    ("Herb Planter", "garden", 2590),
    ("Canvas Bag", "travel", 4590),
    ("Wash Bag", "travel", 2890),
    ("Thermos Flask", "travel", 3890),
    ("Picnic Rug", "travel", 6290),
    ("Leather Satchel", "travel", 18900),
)
DISCONTINUED: Final = frozenset({"Wall Clock"})


class Promise(NamedTuple):
    """A policy of the shop; `text` is one line without double quotes, so that it can be quoted whole."""

    topic: str
    title: str
    text: str


POLICIES: Final = (
    Promise(
        "returns",
        "Returning an item",
        "You can return any unused item within 30 days of delivery. Return postage within the country "
        "is free, and the money is back on your account within 5 working days of the parcel reaching "
        "us.",
    ),
    Promise(
        "shipping",
        "Delivery times and costs",
        "Orders leave our warehouse within 2 working days and usually arrive 3 working days later. "
        "Delivery costs 4.90 EUR and is free from 60.00 EUR.",
    ),
    Promise(
        "international",
        "Delivery abroad",
        "We deliver to all countries of the European Union, to Norway and to Switzerland. Delivery "
        "abroad takes 5 to 8 working days and costs 12.90 EUR.",
    ),
    Promise(
        "payment",
        "Ways to pay",
        "We accept bank transfer and the usual cards. An order is sent once the payment has arrived; "
        "an order that stays unpaid for 14 days is cancelled.",
    ),
    Promise(
        "warranty",
        "Warranty",
        "Every item has a warranty of two years. Lamps, clocks and kettles have three.",
    ),
    Promise(
        "damaged",
        "Damaged on arrival",
        "If something arrives broken, send us the order number and a short description within 14 "
        "days, and we refund the item or send a new one.",
    ),
    Promise(
        "gift_cards",
        "Gift cards",
        "Gift cards are valid for three years from the day of purchase and cannot be exchanged for cash.",
    ),
    Promise(
        "cancellation",
        "Cancelling an order",
        "An order can be cancelled free of charge until it is packed. After that, please return it "
        "once it has arrived.",
    ),
    Promise(
        "hours",
        "When we are here",
        "Our team answers letters from Monday to Friday, 9:00 to 17:00 Central European Time.",
    ),
    Promise(
        "privacy",
        "Your details",
        "We keep order details for as long as tax law requires and never sell them. You can ask for a "
        "copy or for deletion at any time; a colleague handles that by hand.",
    ),
)

FIRST_NAMES: Final = (
    "Amelia", "Bastian", "Carla", "Daniel", "Edith", "Felix", "Greta", "Henrik", "Imogen", "Jonas",
    "Katrin", "Leon", "Mara", "Niklas", "Olive", "Peter", "Rosa", "Simon", "Thea", "Victor",
)  # fmt: skip
LAST_NAMES: Final = (
    "Archer", "Brandt", "Castell", "Dunmore", "Eklund", "Fairley", "Gruber", "Holloway", "Ivers", "Jansen",
    "Keller", "Lindholm", "Marsh", "Norwood", "Ortega", "Pellar", "Quist", "Rowan", "Sandberg", "Thorne",
)  # fmt: skip
STREETS: Final = ("Mill Lane", "Station Road", "Quay Street", "Orchard Way", "Chapel Row", "North Parade")
CITIES: Final = ("Northwick", "Easthaven", "Ferrybridge", "Lower Marlow", "Saltby", "Thornford")
MAIL_DOMAINS: Final = ("example.com", "example.org", "example.net")
