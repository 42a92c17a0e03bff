"""Google: Gemini, streamed and not, with a function."""

from __future__ import annotations

from google import genai
from google.genai import types

KEY = "demo-not-a-real-key"


def recipe_chat() -> None:
    with genai.Client(api_key=KEY) as client:
        chat = client.chats.create(model="gemini-2.5-flash")
        for said in (
            "I have leeks, potatoes and half a glass of white wine. What can I cook?",
            "No cream in the house. What instead?",
        ):
            for _ in chat.send_message_stream(said):
                pass


def weather() -> None:
    """The SDK calls the function by itself, so this is two requests."""

    def get_weather(city: str) -> dict[str, str]:
        """The weather in a city now."""
        return {"city": city, "sky": "light rain", "temperature": "11 °C"}

    with genai.Client(api_key=KEY) as client:
        client.models.generate_content(
            model="gemini-2.5-pro",
            contents='Do I need an umbrella? Use the get_weather tool with {"city": "Porto"}',
            config=types.GenerateContentConfig(
                tools=[get_weather], system_instruction="Answer in one sentence.", temperature=0.2
            ),
        )


CONVERSATIONS = (
    ("Cooking with what is there (Gemini, streamed)", recipe_chat),
    ("The weather, by function (Gemini, tools)", weather),
)
