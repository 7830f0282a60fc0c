"""What providers of each specialty bill, for whom and where: the data behind the synthetic claims.

Codes are ICD-10-CM (diagnoses), CPT and HCPCS (procedures) and the two-digit list of places of
service; they belong together as in practice, and a weight says how common a service is.
"""

from typing import NamedTuple


class Service(NamedTuple):
    """One kind of visit. Codes are separated by blanks; a repeated code is that much likelier."""

    weight: int
    """Share among the services of the specialty."""
    procedures: str
    """Always billed together."""
    extras: str
    """Now and then billed in addition, one of them."""
    diagnoses: str
    """One of them is the reason of the visit."""
    places: str
    patients: str
    """Group of patients: a key of `population.GROUPS`."""


S = Service

SPECIALTIES: dict[str, tuple[int, tuple[Service, ...]]] = {
    "family medicine": (26, (
        S(40, "99213", "36415 80053 85025 87880", "J06.9 I10 M54.50 R05.9", "11 11 02", "all"),
        S(30, "99214", "36415 83036 80061 93000", "I10 E11.9 E78.5 E03.9", "11 11 10", "adults"),
        S(8, "99203", "36415 80050 81001", "I10 R53.83 N39.0 E66.9", "11", "all"),
        S(10, "99396", "80061 90686 36415", "Z00.00", "11", "middle-aged"),
        S(6, "G0439", "90686 93000", "Z00.00 Z00.01", "11", "seniors"),
        S(6, "99308", "", "F03.90 I50.9 Z74.09", "31 32", "seniors"),
    )),
    "pediatrics": (9, (
        S(12, "99391", "90460 90698", "Z00.129", "11", "newborns"),
        S(20, "99392", "90460 90707 90686", "Z00.129", "11", "infants"),
        S(23, "99393", "90460 90686 92551", "Z00.129", "11", "children"),
        S(45, "99213", "87880 87804 94640", "J06.9 H66.90 J45.909 B34.9", "11 11 02", "minors"),
    )),
    "emergency medicine": (11, (
        S(40, "99283", "71046 81001 87804", "S93.401A J06.9 R10.9 N39.0", "23", "all"),
        S(40, "99284", "70450 71046 93010 85025", "R07.9 R10.9 S09.90XA J18.9", "23", "all"),
        S(18, "99285", "70450 74177 93010 99291", "I21.4 A41.9 I63.9 J96.01", "23", "adults"),
        S(2, "99291", "31500 92950", "I46.9 A41.9 J96.01", "23 21", "adults"),
    )),
    "hospital medicine": (8, (
        S(35, "99223", "93010", "J18.9 I50.9 A41.9 N17.9 E11.65", "21", "adults"),
        S(50, "99232", "", "J18.9 I50.9 A41.9 J44.1 K57.32", "21", "adults"),
        S(15, "99239", "", "J18.9 I50.9 N39.0 J44.1", "21", "adults"),
    )),
    "cardiology": (7, (
        S(55, "99214", "93000 93306", "I25.10 I48.91 I10 I50.9", "11 11 22", "adults"),
        S(30, "93306", "93000", "I50.9 R01.1 I34.0 I48.91", "11 22", "adults"),
        S(10, "93458", "93010", "I25.10 I20.9 I21.4", "22 21", "adults"),
        S(5, "92928", "93458", "I25.10 I21.4", "21 22", "adults"),
    )),
    "orthopedic surgery": (6, (
        S(60, "99213", "20610 73630 73721", "M17.11 M25.561 M75.41 S93.401A", "11", "adults"),
        S(20, "29881", "73721", "S83.241A M23.205", "24 22", "adults"),
        S(12, "27447", "73560", "M17.11 M17.12", "21 22 24", "seniors"),
        S(8, "27130", "73502", "M16.11 M16.12 S72.001A", "21 22", "seniors"),
    )),
    "obstetrics and gynecology": (6, (
        S(45, "99395", "88175 87624", "Z01.419", "11", "young women"),
        S(30, "76805", "36415 59025", "Z34.90 O09.90 O26.90", "11 22", "mothers"),
        S(17, "59400", "59025 76805", "O80 O70.1", "21", "mothers"),
        S(8, "59510", "59025 76805", "O82 O34.211", "21", "mothers"),
    )),
    "radiology": (7, (
        S(40, "71046", "", "R05.9 J18.9 R07.9", "22 11 23", "all"),
        S(25, "77067", "77063", "Z12.31", "22 11", "women"),
        S(20, "72148", "", "M54.50 M51.26", "22 11", "adults"),
        S(15, "74177", "70450", "R10.9 K57.32 C18.9", "22 23", "adults"),
    )),
    "gastroenterology": (4, (
        S(45, "45378", "G0500", "Z12.11 K57.30", "24 22", "adults"),
        S(35, "45385", "45380 88305", "K63.5 D12.6", "24 22", "adults"),
        S(20, "43239", "88305", "K21.9 K29.70 R13.10", "24 22", "adults"),
    )),
    "general surgery": (3, (
        S(50, "47562", "88304", "K80.20 K81.0", "22 21 24", "adults"),
        S(30, "49505", "", "K40.90", "22 24", "adults"),
        S(20, "44970", "88304", "K35.80", "21 22", "all"),
    )),
    "ophthalmology": (4, (
        S(75, "92014", "92134 92083", "H25.13 H40.1131 H52.4 E11.319", "11", "adults"),
        S(25, "66984", "92136", "H25.11 H25.12 H25.13", "24", "seniors"),
    )),
    "oncology": (3, (
        S(55, "99215", "36415 85025", "C50.911 C34.90 C61 C18.9", "11 22", "adults"),
        S(40, "96413", "96415 J1100 J2405", "C50.911 C34.90 C18.9", "11 22", "adults"),
        S(5, "96413 J9271", "J1100", "C34.90 C43.9", "11 22", "adults"),
    )),
    "psychiatry": (5, (
        S(15, "90791", "96127", "F41.1 F33.1 F43.10", "11 02 10", "adults"),
        S(50, "90834", "", "F41.1 F32.A F43.23", "10 11 02", "all"),
        S(35, "90837", "", "F33.1 F43.10 F41.1", "10 11 02", "adults"),
    )),
    "physical therapy": (6, (
        S(80, "97110 97140", "97530", "M54.50 M25.561 M25.511 M54.2", "11", "adults"),
        S(20, "97161", "97110", "M54.50 M17.11 M75.41", "11", "adults"),
    )),
    "clinical laboratory": (8, (
        S(50, "80053", "85025 80061 84443", "Z00.00 I10 E11.9 E78.5", "81", "all"),
        S(30, "83036", "80061 82043", "E11.9 E11.65 R73.03", "81", "adults"),
        S(20, "87086", "81001", "N39.0 R30.0", "81", "adults"),
    )),
    "nephrology": (2, (
        S(70, "90935", "36415 J0882", "N18.6", "65", "adults"),
        S(30, "99214", "80053 82043", "N18.30 N18.4 I12.9", "11", "adults"),
    )),
    "ambulance": (2, (
        S(70, "A0429 A0425", "", "R07.9 S09.90XA R55", "41", "all"),
        S(30, "A0427 A0425", "", "I46.9 I21.4 J96.01", "41", "adults"),
    )),
    "medical equipment": (3, (
        S(60, "E0601", "A7030 A7037", "G47.33", "12", "adults"),
        S(40, "K0001", "E0143", "M17.11 R26.2 I69.351", "12", "seniors"),
    )),
}  # fmt: skip

CMS_SPECIALTIES: dict[str, str] = {
    "family medicine": "08", "pediatrics": "37", "emergency medicine": "93",
    "hospital medicine": "C6", "cardiology": "06", "orthopedic surgery": "20",
    "obstetrics and gynecology": "16", "radiology": "30", "gastroenterology": "10",
    "general surgery": "02", "ophthalmology": "18", "oncology": "90", "psychiatry": "26",
    "physical therapy": "65", "clinical laboratory": "69", "nephrology": "39", "ambulance": "59",
    "medical equipment": "54",
}  # fmt: skip
"""Specialty codes of CMS, from "Medicare Claims Processing Manual", chapter 26, 10.8."""

CHARGES: dict[str, int] = {
    "20610": 240, "27130": 9800, "27447": 9400, "29881": 3900, "31500": 420, "36415": 18,
    "43239": 1450, "44970": 3600, "45378": 1300, "45380": 1600, "45385": 1850, "47562": 4300,
    "49505": 2700, "59025": 110, "59400": 4900, "59510": 6100, "66984": 3300, "70450": 980,
    "71046": 130, "72148": 1250, "73502": 140, "73560": 110, "73630": 95, "73721": 1150,
    "74177": 1700, "76805": 390, "77063": 90, "77067": 310, "80050": 165, "80053": 62,
    "80061": 68, "81001": 22, "82043": 34, "83036": 48, "84443": 78, "85025": 40, "87086": 42,
    "87624": 95, "87804": 45, "87880": 38, "88175": 85, "88304": 130, "88305": 185, "90460": 45,
    "90686": 42, "90698": 125, "90707": 130, "90791": 290, "90834": 165, "90837": 220, "90935": 260,
    "92014": 190, "92083": 120, "92134": 95, "92136": 170, "92551": 30, "92928": 8700,
    "92950": 650, "93000": 55, "93010": 32, "93306": 720, "93458": 4200, "94640": 48,
    "96127": 15, "96413": 540, "96415": 120, "97110": 75, "97140": 70, "97161": 150,
    "97530": 78, "99203": 215, "99213": 155, "99214": 225, "99215": 310, "99223": 420,
    "99232": 170, "99239": 245, "99283": 480, "99284": 820, "99285": 1250, "99291": 890,
    "99308": 125, "99391": 180, "99392": 195, "99393": 190, "99395": 225, "99396": 250, "A0425": 90,
    "A0427": 1350, "A0429": 880, "A7030": 175, "A7037": 40, "E0143": 110, "E0601": 960,
    "G0439": 205, "G0500": 120, "J0882": 310, "J1100": 12, "J2405": 18, "J9271": 21500,
    "K0001": 640,
}  # fmt: skip
"""Median charge of each procedure, in US dollars."""

COMORBIDITIES = tuple("I10 I10 I10 E78.5 E78.5 E11.9 E11.9 Z87.891 E66.9 N18.30".split())
"""Second diagnoses of adults."""

REGIONS: dict[str, int] = {
    "CA": 12, "TX": 9, "FL": 7, "NY": 6, "PA": 4, "IL": 4, "OH": 4, "GA": 3, "NC": 3, "MI": 3,
    "NJ": 3, "VA": 3, "WA": 2, "AZ": 2, "TN": 2, "MA": 2, "IN": 2, "MO": 2, "MD": 2, "CO": 2,
    "WI": 2, "MN": 2, "AL": 1, "LA": 1, "KY": 1, "OR": 1, "OK": 1, "NM": 1, "ME": 1, "PR": 1,
}  # fmt: skip
"""States of the providers, and how many of them practise there."""
