// Search by picture: drop one on the page, paste one, or choose a file.

import * as api from "./api.js";
import { byId, raise, toast } from "./dom.js";

/** Call `use(id)` with each picture that was sent. */
export function watchPictures(use) {
  const file = byId("file");
  const send = async (picture) => {
    if (!picture.size) {
      toast(`${picture.name} is empty: 0 bytes.`);
      return;
    }
    toast("Reading the picture…");
    try {
      const answer = await api.sendPicture(picture);
      byId("toast").hidden = true;
      use(answer.picture);
    } catch (error) {
      toast(`${picture.name} cannot be searched by: ${error.message}.`);
    }
  };
  byId("pick").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files[0]) send(file.files[0]);
    file.value = "";
  });
  addEventListener("paste", (event) => {
    const picture = [...(event.clipboardData?.files ?? [])][0];
    if (!picture) return;
    event.preventDefault();
    send(picture);
  });
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    raise();
    byId("drop").hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) byId("drop").hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    byId("drop").hidden = true;
    if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
  });
}
