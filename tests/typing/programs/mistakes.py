"""Mistakes that type checkers find. Each line that ends with `# wrong` is an error to them, and no other line is."""

from __future__ import annotations

from cloudfiles import AsyncCloudFiles, CloudFile, CloudFiles, dl

cf = CloudFiles("mem://bucket/", num_thread=5)  # wrong
cf.get(5)  # wrong
cf.get("a").decode()  # wrong
cf.get("a")["content"]  # wrong
cf.get(["a"], progress=5)  # wrong
cf.get(["a"], return_dict=True)["a"].decode()  # wrong
cf.put("a", 5)  # wrong
cf.put("a", {"a": 1})  # wrong
cf.put("a", b"", contenttype="text/plain")  # wrong
cf.puts([("a", 5)])  # wrong
cf.exists(["a"]) + 1  # wrong
cf.size("a") + 1  # wrong
cf.delete(5)  # wrong
cf.transfer_to(5)  # wrong
cf.sync_to("mem://other/", include=5)  # wrong
CloudFile("mem://bucket/a").put(5)  # wrong
CloudFile("mem://bucket/a", num_thread=5)  # wrong
dl(5)  # wrong
dl("mem://bucket/a", num_thread=5)  # wrong

head = cf.head("a")
if head is not None:
    head["Content-Lenght"]  # wrong


async def main() -> None:
    twin = AsyncCloudFiles("mem://bucket/")
    await twin.get(5)  # wrong
    (await twin.get("a")).decode()  # wrong
    await twin.put("a", 5)  # wrong
    await twin.isdir(5)  # wrong
    await twin.transfer_to(5)  # wrong
    AsyncCloudFiles("mem://bucket/", num_thread=5)  # wrong
