"""The names that Home Assistant shows, in the languages of `[homeassistant] language`. Pure."""

from device.configuration.settings import Language

_SPANISH = {
    "CPU temperature": "Temperatura de la CPU",
    "Dropped events": "Eventos descartados",
    "Inference time": "Tiempo de inferencia",
    "Level": "Nivel",
    "Memory": "Memoria",
    "Mode": "Modo",
    "Model": "Modelo",
    "Music": "Música",
    "Music detector": "Detector de música",
    "Music event": "Evento de música",
    "Music score": "Probabilidad de música",
    "Music today": "Música hoy",
    "Overruns": "Pérdidas de audio",
    "Paused": "En pausa",
    "Queued events": "Eventos en espera",
    "Reason": "Motivo",
    "Version": "Versión",
}


def translated(name: str, language: Language) -> str:
    """An English name in that language."""
    return _SPANISH[name] if language == "es" else name
