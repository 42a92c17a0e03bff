"""placeholder"""
from datasette_plugins.access import page
from datasette.utils.asgi import Response
@page
async def call(datasette, request):
    return Response.html("x")
@page
async def body(datasette, request):
    return Response.html("x")
