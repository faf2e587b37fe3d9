"""Fifty large passenger airports, the hubs of `jobs.airports.nearest_hub`.

The choice follows Wikipedia's "List of busiest airports by passenger traffic" (its figures are those
of Airports Council International): airports that have stood in or near its first fifty in recent
years. It is a choice for an example, not the ranking of any one year. The coordinates are those of
`jobs/data/airports.csv`.
"""

from typing import NamedTuple


class Hub(NamedTuple):
    """A large airport: its IATA code, and where it is, in degrees north and east."""

    iata: str
    lat: float
    lon: float


HUBS = (
    Hub("AMS", 52.3086, 4.76389),  # Amsterdam
    Hub("ATL", 33.6367, -84.427864),  # Atlanta
    Hub("BCN", 41.2971, 2.07846),  # Barcelona
    Hub("BKK", 13.6811, 100.747),  # Bangkok
    Hub("BOG", 4.70159, -74.1469),  # Bogota
    Hub("BOM", 19.0887, 72.8679),  # Mumbai
    Hub("CAN", 23.3924, 113.299),  # Guangzhou
    Hub("CDG", 49.0128, 2.55),  # Paris
    Hub("CGK", -6.12557, 106.656),  # Jakarta
    Hub("CLT", 35.213187, -80.951379),  # Charlotte
    Hub("CTU", 30.5785, 103.947),  # Chengdu
    Hub("DEL", 28.5665, 77.1031),  # New Delhi
    Hub("DEN", 39.861667, -104.673167),  # Denver
    Hub("DFW", 32.897233, -97.037695),  # Dallas-Fort Worth
    Hub("DOH", 25.26059, 51.61377),  # Doha
    Hub("DXB", 25.2528, 55.3644),  # Dubai
    Hub("EWR", 40.692481, -74.168688),  # Newark
    Hub("FCO", 41.8045, 12.2508),  # Rome
    Hub("FRA", 50.0264, 8.54313),  # Frankfurt am Main
    Hub("GRU", -23.43556, -46.47306),  # Sao Paulo
    Hub("HKG", 22.3089, 113.915),  # Hong Kong
    Hub("HND", 35.5523, 139.78),  # Tokyo
    Hub("IAH", 29.984435, -95.341442),  # Houston
    Hub("ICN", 37.4691, 126.451),  # Seoul
    Hub("IST", 41.27533, 28.752),  # Istanbul
    Hub("JED", 21.6796, 39.1565),  # Jeddah
    Hub("JFK", 40.639928, -73.778692),  # New York
    Hub("KUL", 2.74558, 101.71),  # Kuala Lumpur
    Hub("LAS", 36.080343, -115.152449),  # Las Vegas
    Hub("LAX", 33.942496, -118.408049),  # Los Angeles
    Hub("LGW", 51.1481, -0.19028),  # London
    Hub("LHR", 51.4706, -0.46194),  # London
    Hub("MAD", 40.4936, -3.56676),  # Madrid
    Hub("MCO", 28.429394, -81.308993),  # Orlando
    Hub("MEX", 19.4363, -99.0721),  # Mexico City
    Hub("MIA", 25.795361, -80.290116),  # Miami
    Hub("MNL", 14.5086, 121.02),  # Manila
    Hub("MUC", 48.3538, 11.7861),  # Munich
    Hub("NRT", 35.7647, 140.386),  # Tokyo
    Hub("ORD", 41.97694, -87.90815),  # Chicago
    Hub("PEK", 40.0801, 116.585),  # Beijing
    Hub("PHX", 33.434278, -112.011583),  # Phoenix
    Hub("PVG", 31.1434, 121.805),  # Shanghai
    Hub("SEA", 47.449889, -122.311778),  # Seattle
    Hub("SFO", 37.618806, -122.375417),  # San Francisco
    Hub("SIN", 1.35019, 103.994),  # Singapore
    Hub("SYD", -33.9461, 151.177),  # Sydney
    Hub("SZX", 22.6393, 113.811),  # Shenzhen
    Hub("TPE", 25.0777, 121.233),  # Taipei
    Hub("YYZ", 43.6772, -79.6306),  # Toronto
)
