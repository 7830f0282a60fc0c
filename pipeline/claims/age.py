"""The age of a patient, for claims that have a birth date instead."""

from functools import lru_cache

from pipeline.claims.columns import Columns, are_empty

_OLDEST = 150


@lru_cache(65_536)
def age_at(birth_date: str | None, day: str | None) -> int | None:
    """Completed years on a day; None without both dates, or where they make no age."""
    if birth_date is None or day is None:
        return None
    age = int(day[:4]) - int(birth_date[:4]) - (day[4:] < birth_date[4:])
    return age if 0 <= age <= _OLDEST else None


def with_ages(claims: Columns) -> Columns:
    """The column of ages with the missing ones filled in, as those at the service; else nothing."""
    ages, births = claims.get("patient_age"), claims.get("patient_birth_date")
    if ages is None or births is None or are_empty(births) or None not in ages:
        return {}
    days = claims["service_date"]
    filled = [
        age_at(birth, day) if age is None else age
        for age, birth, day in zip(ages, births, days, strict=True)
    ]
    return {"patient_age": filled}
